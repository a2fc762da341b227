"""What a line or a span may hold of a request is bounded, and says nothing of a fault of ours."""

import asyncio

import numpy as np
import pytest

from ovserve.errors import NotFound
from ovserve.ran import Ran
from ovserve.requests import Door, InferRequest
from ovserve.seeing.outcome import Outcome, code_of
from ovserve.seeing.watch import Watching
from ovserve.tensors import DType, Tensor

DOOR = Door("KServe", "gRPC")


def outcome(request: InferRequest) -> Outcome:
    seen: list[Outcome] = []
    with Watching(DOOR, [seen.append], wants_headers=True) as watch:
        watch.carry(lambda: [("authorization", "Bearer secret"), ("traceparent", "x"), ("tracestate", "x" * 1000)])
        watch.begin(request)
        watch.end(None)
    return seen[0]


def test_what_a_client_chooses_is_cut() -> None:
    tensor = Tensor(DType.FP32, np.zeros((1,) * 20, np.float32))
    found = outcome(InferRequest("m" * 1000, {f"{'x' * 1000}{i}": tensor for i in range(10)}, id="i" * 1000))
    assert max(len(found.model), len(found.request_id), *map(len, found.shapes)) < 300
    many = outcome(InferRequest("m", {f"x{i}": tensor for i in range(100)}))
    assert len(many.shapes) == 32
    assert many.shapes["x0"] == f"FP32[{'1,' * 16}...]"


def test_what_could_end_a_line_or_colour_it_is_escaped() -> None:
    found = outcome(InferRequest("m\n\x1b[31m", {}, id="\ud800"))
    assert (found.model, found.request_id) == ("m\\n\\x1b[31m", "\\ud800")


def test_a_look_that_fails_fails_no_request() -> None:
    def fail(_outcome: Outcome) -> None:
        raise RuntimeError

    seen: list[Outcome] = []
    with Watching(DOOR, [fail, seen.append], wants_headers=False):
        pass
    assert len(seen) == 1


def test_of_the_headers_only_a_trace_context_of_sensible_length_is_kept() -> None:
    assert outcome(InferRequest("m", {})).headers == {"traceparent": "x"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFound("no such model"), ("NOT_FOUND", "no such model")),
        (KeyError("a secret"), ("INTERNAL", "internal error")),
        (asyncio.CancelledError(), ("CANCELLED", "the caller went away")),
    ],
)
def test_the_code_of_a_refusal(error: BaseException, expected: tuple[str, str]) -> None:
    assert code_of(error) == expected


def test_what_a_request_did_not_run_it_was_waiting() -> None:
    found = Outcome(DOOR, "m", 1, "", {}, "OK", "", 0, 5, 100, 120, Ran({}, 30, 20, 10), {})
    assert found.times is not None
    assert found.times.queue_ns == 40
