"""Large outputs that are lent: they stay as they are as long as somebody reads them, whatever runs meanwhile."""

import gc
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import small_models
from ovserve.config.model import ModelConfig
from ovserve.engine.core_budget import CoreBudget
from ovserve.engine.lending import Lender, Spares
from ovserve.engine.openvino import Engine
from ovserve.engine.slots import Slots
from ovserve.repository.layout import find_files
from ovserve.repository.mapping import NameMapping
from ovserve.tensors import Array, DType, Tensor

SHAPE = [1, 1 << 19]  # 2 MiB


def load(folder: Path, model: ov.Model, **settings: object) -> Slots:
    small_models.save(model, folder)
    config = ModelConfig.model_validate({"name": "m", "base_path": folder, "nireq": 1, **settings})
    return Engine(budget=CoreBudget(2, 2)).load(find_files(folder), NameMapping(), config).slots


def numbers(first: int) -> Array:
    return np.arange(first, first + SHAPE[1], dtype=np.float32).reshape(SHAPE)


def lend(slots: Slots, data: Array, name: str = "x") -> dict[str, Array]:
    ran = slots[0].lend({name: Tensor(DType.FP32, data)}, None)
    return {name: tensor.data for name, tensor in ran.outputs.items()}


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return load(tmp_path, small_models.add_one(SHAPE))


def test_what_is_lent_stays_as_it_is_while_others_run(slots: Slots) -> None:
    answers = [lend(slots, numbers(first))["y"] for first in range(5)]
    assert all((answer == numbers(first) + 1).all() for first, answer in enumerate(answers))


def test_what_is_lent_is_the_memory_of_the_model(slots: Slots) -> None:
    first = lend(slots, numbers(0))["y"]
    address = first.ctypes.data
    assert not first.flags.writeable
    second = lend(slots, numbers(1))["y"]
    assert second.ctypes.data != address
    del first
    gc.collect()
    assert (lend(slots, numbers(2))["y"] == numbers(2) + 1).all()
    assert lend(slots, numbers(3))["y"].ctypes.data == address


def test_a_part_of_what_is_lent_keeps_all_of_it(slots: Slots) -> None:
    part = memoryview(lend(slots, numbers(0))["y"].reshape(-1)[7:9])
    for first in range(3, 8):
        lend(slots, numbers(first))
    assert list(part) == [8, 9]


def test_one_who_keeps_all_makes_no_more_slots_than_there_are_spares(slots: Slots) -> None:
    answers = [lend(slots, numbers(first))["y"] for first in range(6)]
    assert sum(not answer.flags.writeable for answer in answers) == 1  # a spare for each slot; the others are copies


def test_who_does_not_borrow_gets_what_is_his(slots: Slots) -> None:
    answer = slots[0].run({"x": Tensor(DType.FP32, numbers(0))}, None).outputs["y"].data
    answer += 1
    assert (lend(slots, numbers(0))["y"] == numbers(0) + 1).all()
    assert (answer == numbers(0) + 2).all()


def test_what_comes_straight_from_an_input_is_lent_with_it(tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.pass_through("f32", SHAPE))
    data = numbers(0)
    (answer,) = lend(slots, data).values()
    assert np.shares_memory(answer, data)
    del data
    gc.collect()
    for first in range(1, 4):
        (other,) = lend(slots, numbers(first)).values()
        assert (other == numbers(first)).all()
    assert (answer == numbers(0)).all()


def test_parts_of_an_input_and_what_is_computed_are_lent_side_by_side(tmp_path: Path) -> None:
    x = small_models.parameter("x", SHAPE)
    halves = ops.split(x, ops.constant(np.array(1)), 2)
    doubled = ops.add(x, x)
    outputs = [small_models.named(ops.relu(halves.output(0)), "low"), small_models.named(doubled, "twice")]
    slots = load(tmp_path, ov.Model([*outputs], [x], "parts"))
    answers = [lend(slots, numbers(first)) for first in range(4)]
    for first, answer in enumerate(answers):
        assert (answer["low"] == numbers(first)[:, : SHAPE[1] // 2]).all()
        assert (answer["twice"] == numbers(first) * 2).all()


def test_the_same_tensor_under_two_names_is_right_in_both(tmp_path: Path) -> None:
    x = small_models.parameter("x", SHAPE)
    more = ops.add(x, ops.constant(np.float32(1)))
    slots = load(
        tmp_path, ov.Model([small_models.named(more, "y"), small_models.named(ops.negative(more), "z")], [x], "two")
    )
    answers = [lend(slots, numbers(first)) for first in range(4)]
    for first, answer in enumerate(answers):
        assert (answer["y"] == numbers(first) + 1).all()
        assert (answer["z"] == -numbers(first) - 1).all()


@pytest.mark.parametrize("shape", [[1, 1 << 17], [-1, 1 << 19]])
def test_small_outputs_and_those_of_any_size_are_copied(tmp_path: Path, shape: list[int]) -> None:
    slots = load(tmp_path, small_models.add_one(shape))
    data = np.zeros([1, shape[1]], np.float32)
    assert lend(slots, data)["y"].flags.writeable


def test_a_run_that_fails_leaves_all_slots_usable(slots: Slots) -> None:
    with pytest.raises(KeyError):
        lend(slots, numbers(0), name="other")
    answers = [lend(slots, numbers(first))["y"] for first in range(3)]
    assert all((answer == numbers(first) + 1).all() for first, answer in enumerate(answers))


def test_spares_are_made_when_they_are_needed_and_no_more_than_that() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    spares = Spares(make, 2)  # type: ignore[arg-type] - what they are makes no difference
    assert not made
    taken = [spares.take() for _ in range(3)]
    assert taken == [*made, None]
    spares.give_back(taken[0])  # type: ignore[arg-type] - likewise
    assert spares.take() is taken[0]


def test_a_model_without_large_outputs_has_plain_slots(tmp_path: Path, slots: Slots) -> None:
    assert isinstance(slots[0], Lender)
    assert not isinstance(load(tmp_path / "small", small_models.add_one([1, 10]))[0], Lender)
