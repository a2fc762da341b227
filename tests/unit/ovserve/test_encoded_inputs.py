"""When pictures are decoded: in turn, and only as long as somebody waits for them."""

import os
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from encoded_pictures import noise, png
from ovserve.config.model import ModelConfig
from ovserve.errors import Cancelled, DeadlineExceeded, Overloaded
from ovserve.requests import InferRequest, Patient
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


def inputs(**config: object) -> EncodedInputs:
    return EncodedInputs("model 'm'", (SPEC,), ModelConfig(name="m", base_path="m", **config), slots=1)


def test_numbers_take_the_place_of_files() -> None:
    decoded = inputs().decode(REQUEST, Patient(), admitted=False).inputs["x"]
    assert (decoded.dtype, decoded.shape) == (DType.UINT8, (2, 4, 4, 3))


def test_what_came_as_numbers_stays_as_it_is() -> None:
    request = InferRequest("m", {"x": Tensor(DType.UINT8, noise(4, 4)[None])})
    assert inputs().decode(request, Patient(), admitted=False) is request


def test_a_name_that_is_not_known_is_somebody_elses_to_refuse() -> None:
    request = InferRequest("m", {"y": REQUEST.inputs["x"]})
    assert inputs().decode(request, Patient(), admitted=False) is request


def test_work_ends_when_the_callers_time_is_over() -> None:
    with pytest.raises(DeadlineExceeded, match="model 'm': the deadline passed while images were being decoded"):
        inputs().decode(REQUEST, Caller(time_s=0), admitted=False)


def test_work_ends_when_the_caller_has_gone() -> None:
    with pytest.raises(Cancelled, match="model 'm': the caller went away while images were being decoded"):
        inputs().decode(REQUEST, Caller(gone=True), admitted=False)


def test_no_more_decode_at_once_than_there_are_cores() -> None:
    encoded = inputs(max_queue=0)
    assert encoded.admitted_at_once == os.cpu_count()
    with ExitStack() as busy:
        for _ in range(os.cpu_count()):
            busy.enter_context(encoded._turns.slot(Patient()))
        with pytest.raises(Overloaded, match="model 'm': 0 requests are waiting already"):
            encoded.decode(REQUEST, Patient(), admitted=False)
    assert encoded.decode(REQUEST, Patient(), admitted=False)


def test_a_model_without_pictures_admits_nobody_more() -> None:
    config = ModelConfig(name="m", base_path="m")
    assert EncodedInputs("model 'm'", (TensorSpec("x", DType.FP32, (ANY,)),), config, slots=1).admitted_at_once == 0
