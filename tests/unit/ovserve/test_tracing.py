"""Which requests are traced, and what settings are refused."""

import logging

import pytest

from ovserve.errors import InvalidInput, Unsupported
from ovserve.ran import Ran
from ovserve.requests import Door
from ovserve.seeing.outcome import Outcome
from ovserve.seeing.tracing import Tracer

DOOR = Door("KServe", "gRPC")
ON = {"trace_level": ["TIMESTAMPS"], "trace_rate": ["1"]}


@pytest.fixture
def tracer() -> Tracer:
    return Tracer()


def traced(tracer: Tracer, caplog: pytest.LogCaptureFixture, requests: int = 1, model: str = "m") -> int:
    caplog.clear()
    with caplog.at_level(logging.INFO, "ovserve.trace"):
        for _ in range(requests):
            ran = Ran({}, 30_000, 20_000, 10_000)
            tracer.trace(Outcome(DOOR, model, 1, "7", {}, "OK", "", 0, 0, 100_000, 130_000, ran, {}))
    return len(caplog.records)


def test_nothing_is_traced_at_first(tracer: Tracer, caplog: pytest.LogCaptureFixture) -> None:
    assert not tracer.is_on
    assert traced(tracer, caplog) == 0
    assert tracer.settings().shown() == {
        "trace_level": "OFF",
        "trace_rate": "1000",
        "trace_count": "-1",
        "log_frequency": "0",
        "trace_file": "",
        "trace_mode": "triton",
    }


def test_a_line_tells_where_the_time_went(tracer: Tracer, caplog: pytest.LogCaptureFixture) -> None:
    tracer.change(ON)
    assert tracer.is_on
    assert traced(tracer, caplog) == 1
    assert caplog.records[0].__dict__["fields"] == {
        "model": "m",
        "version": 1,
        "request_id": "7",
        "queue_us": 40,
        "compute_input_us": 20,
        "compute_infer_us": 30,
        "compute_output_us": 10,
        "total_us": 130,
        "api": "KServe",
        "interface": "gRPC",
        "event": "traced",
    }


def test_one_in_so_many_is_traced(tracer: Tracer, caplog: pytest.LogCaptureFixture) -> None:
    tracer.change({**ON, "trace_rate": ["3"]})
    assert traced(tracer, caplog, 10) == 3


def test_a_count_ends_it_and_begins_anew_when_it_is_set(tracer: Tracer, caplog: pytest.LogCaptureFixture) -> None:
    tracer.change({**ON, "trace_count": ["2"]})
    assert traced(tracer, caplog, 10) == 2
    tracer.change({"trace_count": ["1"]})
    assert traced(tracer, caplog, 10) == 1


def test_a_model_has_settings_of_its_own_and_follows_in_the_rest(
    tracer: Tracer, caplog: pytest.LogCaptureFixture
) -> None:
    tracer.change({"trace_level": ["TIMESTAMPS"]}, "m")
    assert tracer.is_on
    tracer.change({"trace_rate": ["1"]})
    assert (traced(tracer, caplog), traced(tracer, caplog, model="other")) == (1, 0)
    tracer.change({"trace_level": []}, "m")
    assert not tracer.is_on


@pytest.mark.parametrize(
    ("name", "values", "error", "sentence"),
    [
        ("trace_level", ["TENSORS"], Unsupported, "can only be OFF or TIMESTAMPS"),
        ("trace_level", ["no"], InvalidInput, "expects OFF or TIMESTAMPS, got 'no'"),
        ("trace_rate", ["0"], InvalidInput, "'trace_rate' expects one whole number from 1, got '0'"),
        ("trace_rate", ["1", "2"], InvalidInput, "got '1, 2'"),
        ("trace_count", ["-2"], InvalidInput, "from -1, got '-2'"),
        ("trace_count", ["\u0661"], InvalidInput, "'trace_count'"),
        ("trace_file", ["/etc/passwd"], Unsupported, "'trace_file' can only be ''"),
        ("log_frequency", ["5"], Unsupported, "'log_frequency' can only be '0'"),
        ("trace_mode", ["opentelemetry"], Unsupported, "OpenTelemetry is chosen at the start"),
        ("nope", ["1"], InvalidInput, "'nope' is unknown"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name_and_changes_nothing(
    tracer: Tracer, name: str, values: list[str], error: type[Exception], sentence: str
) -> None:
    before = tracer.settings()
    with pytest.raises(error, match=sentence):
        tracer.change({**ON, name: values})
    assert tracer.settings() == before
