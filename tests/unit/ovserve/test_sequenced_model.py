"""Models with variables, on OpenVINO: kept for each sequence, or begun anew with each request."""

import gc
import tempfile
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from openvino import opset13 as ops

import small_models
from ovserve.config.model import ModelConfig
from ovserve.config.triton import DONE_BY_SERVER, read_triton, to_model_config
from ovserve.engine.openvino import Engine
from ovserve.errors import (
    AlreadyExists,
    InferenceFailed,
    InvalidInput,
    LoadFailed,
    NotInSequence,
    OVServeError,
    UnknownSequence,
)
from ovserve.repository.layout import find_files
from ovserve.repository.mapping import NameMapping
from ovserve.requests import InferRequest, InferResponse, InSequence, Patient
from ovserve.serving.decoding_turns import make_decoding_turns
from ovserve.serving.loader import load_version
from ovserve.serving.sequenced import SequencedModel
from ovserve.serving.sequencing import Sequencing
from ovserve.serving.servable import Servable
from ovserve.tensors import DType, Tensor

Load = Callable[..., Servable]
TRITON = {"name": "m", "sequence_batching": {}}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def load(engine: Engine, tmp_path: Path) -> Load:
    def load(
        model: ov.Model | None = None,
        *,
        document: dict[str, Any] | None = None,
        sequencing: Sequencing | None = None,
        version: int = 1,
        **fields: Any,
    ) -> Servable:
        place = small_models.save(model or small_models.running_sum(), tmp_path / str(version))
        if document is None:
            config = ModelConfig(name="m", base_path=tmp_path, **fields)
        else:
            declared = read_triton(document, DONE_BY_SERVER)
            config = to_model_config(declared, tmp_path).model_copy(update={"declared": declared, **fields})
        return load_version(engine, make_decoding_turns(), config, version, place, sequencing=sequencing)

    return load


def fp32(*values: float) -> Tensor:
    return Tensor(DType.FP32, np.float32(values))


def ask(model: Servable, *values: float, at: InSequence | None = None, **inputs: Tensor) -> InferResponse:
    return model.infer(InferRequest("m", {"x": fp32(*values), **inputs}, sequence=at), Patient())


def total(model: Servable, value: float, name: int | str, **flags: bool) -> float:
    return ask(model, value, at=InSequence(name, **flags)).outputs["y"].data.item()


def ovms(name: int, control: int | None = None) -> dict[str, Tensor]:
    given = {"sequence_id": Tensor(DType.UINT64, np.uint64([name]))}
    return given if control is None else given | {"sequence_control_input": Tensor(DType.UINT32, np.uint32([control]))}


def test_without_sequences_every_request_begins_anew(load: Load, capfd: pytest.CaptureFixture[str]) -> None:
    model = load(nireq=1)
    assert [ask(model, 5).outputs["y"].data.item() for _ in range(3)] == [5, 5, 5]


@pytest.mark.parametrize("how", [{"stateful": True}, {"document": TRITON}], ids=["ovms", "triton"])
def test_fifty_interleaved_sequences_have_fifty_sums(load: Load, how: dict[str, Any]) -> None:
    model = load(**how, nireq=2, max_queue=100)
    values = np.random.default_rng(0).integers(0, 100, (50, 8))

    def step(at: int) -> Callable[[int], float]:
        return lambda name: total(model, values[name, at], name + 1, starts=at == 0, ends=at == 7)

    with ThreadPoolExecutor(8) as threads:
        got = [list(threads.map(step(at), range(50))) for at in range(8)]
    assert np.array_equal(np.transpose(got), values.cumsum(axis=1))
    assert model.sequences.active == 0


@tried(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-100, 100)), max_size=40))
def test_any_interleaving_gives_each_its_own_sums(requests: list[tuple[int, int]]) -> None:
    model = _shared_model()
    begun: dict[int, list[int]] = {}
    for name, value in requests:
        said = begun.setdefault(name, [])
        said.append(value)
        assert total(model, value, name, starts=len(said) == 1) == np.cumsum(said)[-1]
    for name in begun:
        total(model, 0, name, ends=True)
    assert model.sequences.active == 0


_made: list[Servable] = []


def _shared_model() -> Servable:
    if not _made:
        with tempfile.TemporaryDirectory() as folder:
            place = small_models.save(small_models.running_sum(), Path(folder) / "1")
            config = ModelConfig(name="m", base_path=place, stateful=True)
            _made.append(load_version(Engine(), make_decoding_turns(), config, 1, place))
    return _made[0]


def test_a_state_that_was_read_is_not_changed_by_what_follows(engine: Engine, tmp_path: Path) -> None:
    place = small_models.save(small_models.running_sum([1, 4]), tmp_path / "1")

    (slot, *_) = engine.load(find_files(place), NameMapping(), ModelConfig(name="m", base_path=place)).slots
    x = {"x": Tensor(DType.FP32, np.ones((1, 4), np.float32))}
    _, first = slot.run_on(None, x, None)
    seen = [slot.run_on(first, x, None)[0].outputs["y"].data[0, 0] for _ in range(3)]
    assert seen == [2, 2, 2]


def brittle() -> ov.Model:
    """`x` -> `y`: the sum of all x so far, and a row of `table` that an `x` above 3 has not: it fails."""
    x = small_models.parameter("x", [-1])
    before = ops.read_value(ops.constant(np.zeros(3, np.float32)), "sum", ov.Type.f32, ov.PartialShape([3]))
    added = ops.add(before, ops.reshape(x, ops.constant(np.array([3])), special_zero=False))
    return ov.Model([small_models.named(added, "y")], [ops.assign(added, "sum")], [x], "brittle")


def test_an_inference_that_fails_leaves_the_sums_as_they_were(load: Load) -> None:
    model = load(brittle(), stateful=True)
    ask(model, 1, 2, 3, at=InSequence(1, starts=True))
    with pytest.raises(InferenceFailed):
        ask(model, 1, 2, at=InSequence(1))
    assert ask(model, 1, 1, 1, at=InSequence(1)).outputs["y"].data.tolist() == [2, 3, 4]


# OVMS's form


def test_ovms_inputs_say_where_a_request_stands_and_the_answer_tells_the_id(load: Load) -> None:
    model = load(stateful=True)
    first = ask(model, 1, **ovms(0, 1)).outputs
    drawn = int(first["sequence_id"].data.item())
    assert (first["sequence_id"].dtype, first["sequence_id"].shape) == (DType.UINT64, (1,))
    assert drawn > 0
    assert ask(model, 2, **ovms(drawn)).outputs["y"].data.tolist() == [3]
    last = ask(model, 3, **ovms(drawn, 2)).outputs
    assert {name: tensor.data.item() for name, tensor in last.items()} == {"y": 6, "sequence_id": drawn}
    with pytest.raises(UnknownSequence):
        ask(model, 1, **ovms(drawn, 0))


@pytest.mark.parametrize(
    ("inputs", "error", "sentence"),
    [
        ({}, NotInSequence, "Sequence ID has not been provided in request inputs - model 'm' version 1 is stateful"),
        (ovms(0), NotInSequence, "Sequence ID has not been provided"),
        (ovms(0, 2), NotInSequence, "Sequence ID has not been provided"),
        (ovms(1, 3), InvalidInput, "Unexpected value of sequence control input - model 'm' version 1: got 3"),
        (
            {"sequence_id": fp32(1)},
            InvalidInput,
            "input 'sequence_id' has datatype FP32 and shape [1], expected UINT64",
        ),
        (
            {"sequence_id": Tensor(DType.UINT64, np.uint64([1, 2]))},
            InvalidInput,
            "input 'sequence_id' has datatype UINT64 and shape [2], expected UINT64 [1]",
        ),
        ({"sequence_id": Tensor(DType.INT64, np.int64([-1]))}, InvalidInput, "is -1, expected a whole number from 0"),
        (ovms(9), UnknownSequence, "Sequence with provided ID does not exist"),
    ],
)
def test_ovms_requests_that_are_wrong(
    load: Load, inputs: dict[str, Tensor], error: type[OVServeError], sentence: str
) -> None:
    model = load(stateful=True)
    with pytest.raises(error) as raised:
        ask(model, 1, **inputs)
    assert sentence in str(raised.value)


def test_ovms_takes_no_texts_and_not_both_ways_at_once(load: Load) -> None:
    model = load(stateful=True)
    with pytest.raises(InvalidInput, match="the sequence's id is text"):
        ask(model, 1, at=InSequence("a", starts=True))
    with pytest.raises(InvalidInput, match="by parameters and by inputs; expected one of them"):
        ask(model, 1, at=InSequence(1, starts=True), **ovms(1, 1))


def test_a_model_without_variables_cannot_be_stateful(load: Load) -> None:
    with pytest.raises(LoadFailed, match="it is to be stateful, but has no variables"):
        load(small_models.add_one([1]), stateful=True)


def test_a_stateful_model_has_one_shape(load: Load) -> None:
    with pytest.raises(LoadFailed, match="served in one shape: expected no 'auto'"):
        load(small_models.running_sum([1, 2]), stateful=True, shape="auto")


def test_low_latency_makes_a_loop_take_one_step_per_request(load: Load) -> None:
    model = load(looped_sum(), stateful=True, low_latency_transformation=True)
    got = [ask(model, value, at=InSequence(1, starts=value == 1)) for value in (1, 2, 3)]
    assert [answer.outputs["y"].data.item() for answer in got] == [1, 3, 6]


def looped_sum() -> ov.Model:
    """`x` [1] -> `y`: the sum over the steps of a TensorIterator, of which there is one."""
    x = small_models.parameter("x", [1])
    step, carried = ops.parameter([1], ov.Type.f32), ops.parameter([1], ov.Type.f32)
    added = ops.add(step, carried)
    body = ov.Model([ops.result(added)], [step, carried], "body")
    loop = ops.tensor_iterator()
    loop.set_body(body)
    loop.set_sliced_input(step, x.output(0), 0, 1, 1, -1, 0)
    loop.set_merged_input(carried, ops.constant(np.zeros(1, np.float32)).output(0), body.get_results()[0].output(0))
    out = loop.get_iter_value(body.get_results()[0].output(0), -1)
    return ov.Model([small_models.named(ops.add(out, ops.constant(np.zeros(1, np.float32))), "y")], [x], "looped")


# Triton's form


def test_a_request_outside_of_sequences_is_refused_in_tritons_words(load: Load) -> None:
    model = load(document=TRITON)
    with pytest.raises(NotInSequence, match="inference request to model 'm' must specify a non-zero or non-empty corr"):
        ask(model, 1)


def control(name: str, kind: str, **values: list[float]) -> dict[str, Any]:
    return {"name": name, "control": [{"kind": f"CONTROL_SEQUENCE_{kind}", **values}]}


CONTROLS = [
    control("start", "START", fp32_false_true=[-1, 1]),
    control("ready", "READY", fp32_false_true=[0, 1]),
    control("end", "END", fp32_false_true=[0, 7]),
    control("corrid", "CORRID", data_type="TYPE_INT64"),
]


def test_control_inputs_are_fed_and_not_shown(load: Load) -> None:
    model = load(
        small_models.running_sum(controls=("start", "ready", "end", "corrid")),
        document={"name": "m", "sequence_batching": {"control_input": CONTROLS}},
    )
    assert [spec.name for spec in model.metadata.inputs] == ["x"]

    def told(**flags: bool) -> list[float]:
        outputs = ask(model, 1, at=InSequence(42, **flags)).outputs
        return [outputs[f"{name}_was"].data.item() for name in ("start", "ready", "end", "corrid")]

    assert [told(starts=True), told(), told(ends=True)] == [[1, 1, 0, 42], [-1, 1, 0, 42], [-1, 1, 7, 42]]
    with pytest.raises(InvalidInput, match="the sequence's id is text, but the model's input 'corrid' takes INT64"):
        total(model, 1, "a", starts=True)
    with pytest.raises(InvalidInput, match=r"the sequence's id is 18446744073709551615, .* takes INT64"):
        total(model, 1, 2**64 - 1, starts=True)
    assert model.sequences.active == 0


def test_a_control_that_the_model_has_not_fails_the_load(load: Load) -> None:
    with pytest.raises(LoadFailed, match="control_input 'start' is no input of the model, which has 'x'"):
        load(document={"name": "m", "sequence_batching": {"control_input": CONTROLS}})


def test_the_idle_time_is_that_of_the_configuration(load: Load) -> None:
    model = load(document={"name": "m", "sequence_batching": {"max_sequence_idle_microseconds": 1}})
    total(model, 1, 1, starts=True)
    with pytest.raises(NotInSequence, match="must specify the START flag"):
        total(model, 1, 1)


# Reloads


def test_sequences_end_on_the_version_that_they_began_on(load: Load) -> None:
    sequencing = Sequencing()
    old = load(sequencing=sequencing, stateful=True)
    total(old, 1, 1, starts=True)
    new = load(sequencing=sequencing, stateful=True, version=2)
    answer = ask(new, 2, at=InSequence(1))
    assert (answer.version, answer.outputs["y"].data.item()) == (1, 3)
    with pytest.raises(AlreadyExists):
        total(new, 1, 1, starts=True)
    assert total(new, 1, 2, starts=True) == 1
    assert total(new, 1, 1, ends=True) == 4
    with pytest.raises(UnknownSequence, match="version 2"):
        total(new, 1, 1)


def test_a_version_asked_for_by_its_number_does_not_answer_for_another(load: Load) -> None:
    sequencing = Sequencing()
    total(load(sequencing=sequencing, stateful=True), 1, 1, starts=True)
    new = load(sequencing=sequencing, stateful=True, version=2)
    with pytest.raises(UnknownSequence, match="version 2"):
        new.infer(InferRequest("m", {"x": fp32(1)}, 2, sequence=InSequence(1)), Patient())


def test_an_old_version_goes_with_its_last_sequence(load: Load) -> None:

    sequencing = Sequencing()
    old = load(sequencing=sequencing, stateful=True)
    assert isinstance(old, SequencedModel)
    total(old, 1, 1, starts=True)
    new = load(sequencing=sequencing, stateful=True, version=2)
    gone = weakref.ref(old)
    del old
    total(new, 1, 1, ends=True)
    sequencing.clean()
    gc.collect()
    assert gone() is None


def test_the_cleaner_lets_go_of_what_nobody_asks_for(load: Load) -> None:
    sequencing = Sequencing(0.01)
    old = load(sequencing=sequencing, stateful=True)
    total(old, 1, 1, starts=True)
    new = load(sequencing=sequencing, stateful=True, version=2)
    gone = weakref.ref(old)
    del old
    until_s = time.monotonic() + 30
    with sequencing.cleaning():
        while gone() is not None:
            gc.collect()
            assert time.monotonic() < until_s
    assert new.sequences.active == 0
