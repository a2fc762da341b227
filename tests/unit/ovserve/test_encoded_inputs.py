"""When pictures are decoded: in turn, and only as long as somebody waits for them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from encoded_pictures import noise, png
from ovserve.config.model import ModelConfig
from ovserve.errors import Cancelled, DeadlineExceeded, Overloaded
from ovserve.requests import InferRequest, Patient
from ovserve.serving.decoding_turns import CORES, DecodingTurns, make_decoding_turns
from ovserve.serving.encoded import EncodedInputs
from ovserve.tensors import ANY, Dim, DType, Tensor, TensorSpec
from wire_server import texts

SPEC = TensorSpec("x", DType.UINT8, (ANY, Dim(4, 4), Dim(4, 4), Dim(3, 3)), "NHWC", 0)
REQUEST = InferRequest("m", {"x": Tensor(DType.BYTES, texts(*[png(noise(4, 4))] * 2))})


class Caller(Patient):
    """One whose time is over, or who has gone."""

    def __init__(self, *, time_s: float = 60, gone: bool = False) -> None:
        self.time_s = time_s
        self.gone = gone

    def time_remaining(self) -> float:
        return self.time_s

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return not self.gone


class Leaving(Patient):
    """One who tells that he waits, and can be made to go away."""

    def __init__(self) -> None:
        self.leave: Callable[[], None] = lambda: None
        self.waits = threading.Event()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self.leave = callback
        self.waits.set()
        return True


def inputs(turns: DecodingTurns | None = None, *, spec: TensorSpec = SPEC, **config: object) -> EncodedInputs:
    wanted = ModelConfig(name="m", base_path="m", **config)
    return EncodedInputs("model 'm'", (spec,), wanted, turns or make_decoding_turns(), slots=1)


def test_numbers_take_the_place_of_files() -> None:
    request, took_ns = inputs().decode(REQUEST, Patient(), admitted=False)
    assert (request.inputs["x"].dtype, request.inputs["x"].shape) == (DType.UINT8, (2, 4, 4, 3))
    assert took_ns > 0


def test_what_came_as_numbers_stays_as_it_is() -> None:
    request = InferRequest("m", {"x": Tensor(DType.UINT8, noise(4, 4)[None])})
    assert inputs().decode(request, Patient(), admitted=False) == (request, 0)


def test_a_name_that_is_not_known_is_somebody_elses_to_refuse() -> None:
    request = InferRequest("m", {"y": REQUEST.inputs["x"]})
    assert inputs().decode(request, Patient(), admitted=False) == (request, 0)


def test_work_ends_when_the_callers_time_is_over() -> None:
    with pytest.raises(DeadlineExceeded, match="model 'm': the deadline passed while images were being decoded"):
        inputs().decode(REQUEST, Caller(time_s=0), admitted=False)


def test_work_ends_when_the_caller_has_gone() -> None:
    with pytest.raises(Cancelled, match="model 'm': the caller went away while images were being decoded"):
        inputs().decode(REQUEST, Caller(gone=True), admitted=False)


def test_no_more_of_a_model_are_let_in_at_once_than_there_are_cores() -> None:
    encoded = inputs(max_queue=0)
    assert encoded.admitted_at_once == CORES
    with ExitStack() as busy:
        for _ in range(CORES):
            busy.enter_context(encoded._entrance.slot(Patient()))
        with pytest.raises(Overloaded, match="model 'm': 0 requests are waiting already"):
            encoded.decode(REQUEST, Patient(), admitted=False)
    assert encoded.decode(REQUEST, Patient(), admitted=False)


@pytest.fixture
def taken() -> Iterator[DecodingTurns]:
    """Turns that are all taken, by other models."""
    turns = make_decoding_turns()
    with ExitStack() as others:
        for _ in range(CORES):
            others.enter_context(turns.slot(Patient()))
        yield turns


def test_all_models_together_have_as_many_turns_as_there_are_cores(taken: DecodingTurns) -> None:
    with pytest.raises(Overloaded, match=r"^model 'm': no turn came within 0\.01 s, as long as queue_timeout allows"):
        inputs(taken, queue_timeout=0.01).decode(REQUEST, Patient(), admitted=False)


def test_who_waits_for_other_models_is_refused_when_his_own_queue_is_full(taken: DecodingTurns) -> None:
    encoded, waiting = inputs(taken, max_queue=0), [Leaving() for _ in range(CORES)]
    with ThreadPoolExecutor(CORES) as threads:
        futures = [threads.submit(encoded.decode, REQUEST, one, admitted=False) for one in waiting]
        assert all(one.waits.wait(60) for one in waiting)
        with pytest.raises(Overloaded, match="model 'm': 0 requests are waiting already"):
            encoded.decode(REQUEST, Patient(), admitted=False)
        for one in waiting:
            one.leave()
        for future in futures:
            with pytest.raises(Cancelled, match=r"^model 'm': the caller went away while the request was waiting"):
                future.result(60)


def test_a_wait_for_other_models_ends_with_the_callers_time(taken: DecodingTurns) -> None:
    with pytest.raises(DeadlineExceeded, match=r"^model 'm': the deadline passed while the request was waiting"):
        inputs(taken).decode(REQUEST, Caller(time_s=0.01), admitted=False)


def test_a_model_without_pictures_admits_nobody_more() -> None:
    assert inputs(spec=TensorSpec("x", DType.FP32, (ANY,))).admitted_at_once == 0
