"""What `ovclient bench` computes without a server."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovclient import ModelMetadata, TensorMetadata
from ovclient._datatypes import DATATYPES
from ovclient._encode import encode
from ovclient.bench.concurrency import MAX_CLIENTS, grown, parse, split
from ovclient.bench.inputs import BadInputs, compose, generate, parse_shape
from ovclient.bench.level import Latencies, Level
from ovclient.bench.loop import Failures, Tally
from ovclient.bench.orders import Outcome


def model(**inputs: tuple[str, tuple[int, ...]]) -> ModelMetadata:
    tensors = tuple(TensorMetadata(name, datatype, shape) for name, (datatype, shape) in inputs.items())
    return ModelMetadata("m", ("1",), "fake", tensors, ())


def shapes_of(metadata: ModelMetadata, *shapes: str, batch: int = 1) -> dict[str, tuple[int, ...]]:
    composed = compose(metadata, [], [parse_shape(text) for text in shapes], batch)
    return {name: array.shape for name, array in composed.items()}


def outcome(latencies_ms: list[int], cpu_s: float = 0.0, end_s: float = 1.0, **errors: Failures) -> Outcome:
    tally = Tally(errors=errors, end_ns=round(end_s * 1e9))
    tally.latencies_ns.extend(latency_ms * 1_000_000 for latency_ms in latencies_ms)
    return Outcome(tally, 0, cpu_s)


@pytest.mark.parametrize(
    ("text", "levels"),
    [("4", (4,)), (" 1:3 ", (1, 2, 3)), ("1:8:3", (1, 4, 7)), ("2:2", (2,)), ("1:4:9", (1,)), ("1:9:4", (1, 5, 9))],
)
def test_a_range_of_clients_is_written_as_for_perf_analyzer(text: str, levels: tuple[int, ...]) -> None:
    assert parse(text) == levels


@pytest.mark.parametrize(
    "text", ["", "x", "0", "-1", "8:1", "0:4", "1:", ":4", "1:4:0", "1:2:3:4", "1,2", "1.5", f"1:{MAX_CLIENTS + 1}"]
)
def test_a_wrong_range_names_itself(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}'"):
        parse(text)


@given(st.integers(1, MAX_CLIENTS), st.integers(1, 64))
def test_clients_are_shared_evenly_and_no_process_is_idle(clients: int, processes: int) -> None:
    shares = split(clients, processes)
    assert [number for share in shares for number in share] == list(range(clients))
    sizes = [len(share) for share in shares]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1
    assert len(shares) == min(clients, processes)


def test_processes_double_while_one_is_busy_up_to_clients_and_cores() -> None:
    assert grown(1, busy=0.3, clients=8, cores=16) == 1
    assert grown(1, busy=0.9, clients=8, cores=16) == 2
    assert grown(4, busy=0.9, clients=6, cores=16) == 6
    assert grown(4, busy=0.9, clients=8, cores=4) == 4
    assert grown(4, busy=0.9, clients=8, cores=0) == 4


def test_a_shape_is_the_flags_else_the_metadatas_with_its_open_dimensions_closed() -> None:
    image = model(x=("FP32", (-1, 3, -1, -1)))
    assert shapes_of(image) == {"x": (1, 3, 1, 1)}
    assert shapes_of(image, batch=8) == {"x": (8, 3, 1, 1)}
    assert shapes_of(image, "1,3,300,200", batch=8) == {"x": (1, 3, 300, 200)}
    assert shapes_of(image, "x:1,3,4,4") == {"x": (1, 3, 4, 4)}
    assert shapes_of(model(**{"a:0": ("FP32", (-1,)), "b": ("INT64", ())}), "a:0:7") == {"a:0": (7,), "b": ()}
    assert shapes_of(model()) == {}


@pytest.mark.parametrize("text", ["", "x", "1,x", "1,,2", "0,3", "-1,3", ":1,2", "x:", "1.5"])
def test_a_wrong_shape_names_itself(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no shape"):
        parse_shape(text)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["z:1"], r"no input 'z', only \['x', 'y'\]"),
        (["1,2"], r"has 2 inputs \['x', 'y'\]: --shape must name one"),
        (["x:1", "x:2"], "--shape was given twice for input 'x'"),
        ([f"x:{10**9},{10**9},{10**9}"], "takes 4000000000000000000000000000 bytes"),
    ],
)
def test_a_shape_that_does_not_fit_the_model_is_told(flags: list[str], message: str) -> None:
    with pytest.raises(BadInputs, match=message):
        shapes_of(model(x=("FP32", (-1,)), y=("FP32", (-1,))), *flags)


def test_a_batch_needs_an_open_first_dimension() -> None:
    with pytest.raises(BadInputs, match=r"no first dimension of -1 to hold a batch of 4: 'x' \[1, -1\]"):
        shapes_of(model(x=("FP32", (1, -1))), batch=4)


def test_a_file_goes_before_random_values_and_stays_as_it_is() -> None:
    metadata, array = model(x=("FP32", (-1,)), y=("INT64", (-1,))), np.arange(3, dtype=np.float64)
    composed = compose(metadata, [("x", array)], [parse_shape("y:2")], 1)
    assert composed["x"] is array
    assert composed["y"].shape == (2,)
    with pytest.raises(BadInputs, match="'x' was given both --input and --shape"):
        compose(metadata, [("x", array)], [parse_shape("x:2")], 1)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_random_values_of_every_datatype_can_be_sent_and_are_always_the_same(datatype: str) -> None:
    tensor = TensorMetadata("x", datatype, (2, 50))
    first, second = (generate([tensor])["x"] for _ in range(2))
    assert encode("x", first) == encode("x", second)
    assert encode("x", first)[:2] == (datatype, [2, 50])
    assert len(set(first.ravel().tolist())) > 1


def test_a_datatype_that_kserve_lacks_is_told() -> None:
    with pytest.raises(BadInputs, match="input 'x' has datatype 'FP4'"):
        shapes_of(model(x=("FP4", (1,))))


def test_percentiles() -> None:
    latencies = Latencies.of([number * 1_000_000 for number in range(101)])
    assert (latencies.mean_ms, latencies.p50_ms, latencies.p90_ms, latencies.p99_ms) == (50, 50, 90, 99)
    assert Latencies.of([2_500_000]) == Latencies(2.5, 2.5, 2.5, 2.5)


def test_a_level_adds_its_processes_up() -> None:
    lost = {"UNAVAILABLE": Failures(2, "first")}, {"UNAVAILABLE": Failures(1, "second"), "INTERNAL": Failures(1, "x")}
    level = Level.of(3, [outcome([1, 3], 0.004, 2.0, **lost[0]), outcome([5, 7], 0.004, 1.0, **lost[1])])
    assert (level.requests, level.processes, level.seconds, level.requests_per_s) == (4, 2, 2.0, 2.0)
    assert level.errors == {"UNAVAILABLE": Failures(3, "first"), "INTERNAL": Failures(1, "x")}
    assert level.latencies == Latencies.of([1_000_000, 3_000_000, 5_000_000, 7_000_000])
    assert level.client_cpu_us_per_request == pytest.approx(1000)  # 8 ms of CPU, eight requests


def test_a_level_without_an_answer_is_strict_json() -> None:
    document = Level.of(1, [outcome([], 0.1, 0.0)]).as_json()
    json.dumps(document, allow_nan=False)
    assert (document["requests"], document["requests_per_s"], document["p99_ms"]) == (0, 0.0, None)
