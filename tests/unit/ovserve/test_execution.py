"""How infer requests run, with OpenVINO."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_native_id

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import small_models
from ovserve.config.model import ModelConfig
from ovserve.cores import visible_cores
from ovserve.engine.core_budget import CoreBudget
from ovserve.engine.openvino import Engine, LoadedModel
from ovserve.engine.quick import QUICK_TURNS, may_be_quick
from ovserve.engine.slots import Slots
from ovserve.errors import InferenceFailed
from ovserve.repository.layout import find_files
from ovserve.repository.mapping import NameMapping
from ovserve.tensors import DType, Tensor

needs_two_cores = pytest.mark.skipif(visible_cores() < 2, reason="one core has one stream")


def load(folder: Path, model: ov.Model, *, cores: int = visible_cores(), **settings: object) -> LoadedModel:
    small_models.save(model, folder)
    config = ModelConfig.model_validate({"name": "m", "base_path": folder, **settings})
    return Engine(budget=CoreBudget(cores, visible_cores())).load(find_files(folder), NameMapping(), config)


def add(slots: Slots, turn: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    inputs = {"a": Tensor(DType.FP32, a), "b": Tensor(DType.FP32, b)}
    return slots[turn].run(inputs, None).outputs["sum"].data


ONES = np.ones((2, 4), np.float32)


@pytest.mark.parametrize(
    "plugin_config",
    [
        {},
        {"PERFORMANCE_HINT": "LATENCY"},
        {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1"},
        {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "2"},
        {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "1"},
        {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "2"},
        {"NUM_STREAMS": "0", "INFERENCE_NUM_THREADS": "1"},
    ],
)
def test_a_failure_is_told_and_no_other_requests_answer(plugin_config: dict[str, str], tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.add_sub([-1, 4]), plugin_config=plugin_config).slots
    for number in range(3):
        assert (add(slots, 0, ONES * number, ONES) == number + 1).all()
        with pytest.raises(InferenceFailed, match="mismatch"):
            add(slots, 0, ONES, np.ones((3, 4), np.float32))


def test_it_is_told_where_there_is_one_core(tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.add_sub([-1, 4]), cores=1).slots
    add(slots, 0, ONES, ONES)
    with pytest.raises(InferenceFailed, match="mismatch"):
        add(slots, 0, ONES, np.ones((3, 4), np.float32))


def test_a_model_that_is_quick_has_more_turns_than_cores(tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.add_sub([1, 10])).slots
    assert (len(slots), slots.streams) == (QUICK_TURNS, 1)


def test_a_quick_model_answers_many_threads_at_once_right(tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.add_sub([2, 4])).slots

    def ask(turn: int) -> bool:
        return all((add(slots, turn, ONES * number, ONES * turn) == number + turn).all() for number in range(500))

    with ThreadPoolExecutor(QUICK_TURNS) as threads:
        assert all(threads.map(ask, range(QUICK_TURNS)))


def test_a_quick_model_wakes_no_other_thread(tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.add_sub([2, 4])).slots
    before = cpu_ns_of_other_threads()
    for _ in range(2000):
        add(slots, 0, ONES, ONES)
    assert cpu_ns_of_other_threads() - before < 1_000_000


def cpu_ns_of_other_threads() -> int:
    own = str(get_native_id())
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != own]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def test_a_quick_shape_of_auto_is_run_likewise(tmp_path: Path) -> None:
    loaded = load(tmp_path, small_models.add_one([1, 10]), shape="auto")
    variant = loaded.reshaper.compile(((3, 10),))
    assert (len(variant), variant.streams) == (len(loaded.slots), 1)
    x = Tensor(DType.FP32, np.zeros((3, 10), np.float32))
    assert (variant[0].run({"x": x}, None).outputs["y"].data == 1).all()


@needs_two_cores
def test_a_model_that_takes_its_time_has_a_stream_and_turns_for_all_it_may_have(tmp_path: Path) -> None:
    x = small_models.parameter("x", [512, 512])
    square = ops.matmul(x, ops.constant(np.eye(512, dtype=np.float32)), transpose_a=False, transpose_b=False)
    loaded = load(tmp_path, ov.Model([small_models.named(square, "y")], [x], "square"), cores=2)
    assert (len(loaded.slots), loaded.slots.streams) == (4, 1)


@pytest.mark.parametrize(
    "model", [small_models.slow(), small_models.add_one([-1, 10]), small_models.add_one([4000, 1000])]
)
def test_what_may_take_longer_with_another_request_is_not_tried(model: ov.Model) -> None:
    assert not may_be_quick(model)


@needs_two_cores
def test_the_users_streams_decide(tmp_path: Path) -> None:
    loaded = load(tmp_path, small_models.add_one([1, 10]), plugin_config={"NUM_STREAMS": "2"})
    assert loaded.slots.streams == 2


def test_the_users_nireq_decides(tmp_path: Path) -> None:
    assert len(load(tmp_path, small_models.add_one([1, 10]), nireq=3).slots) == 3
