"""The slots of a compiled model, whose streams follow how many requests run at once."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import small_models
from ovserve.config.model import ModelConfig
from ovserve.cores import visible_cores
from ovserve.engine.core_budget import CoreBudget, Share
from ovserve.engine.crowd import Crowd
from ovserve.engine.openvino import Engine, LoadedModel
from ovserve.engine.outputs import NO_PLACES
from ovserve.engine.refused import Refused
from ovserve.engine.slot import Slot
from ovserve.engine.slots import Compiled, Slots
from ovserve.ran import Ran
from ovserve.repository.layout import find_files
from ovserve.repository.mapping import NameMapping
from ovserve.shared_memory import Window
from ovserve.tensors import DType, Tensor

TURNS = 64
X = np.arange(256 * 256, dtype=np.float32).reshape(256, 256) % 100  # exact in every precision that a device may take

needs_two_cores = pytest.mark.skipif(visible_cores() < 2, reason="one core has one stream")


class Machine:
    """Compiles at once, up to `most` streams, and notes for how many it was asked.

    Requests on every turn but the first last until `gate` opens.
    """

    def __init__(self, most: int = 64) -> None:
        self.gate = threading.Event()
        self.inside = threading.Semaphore(0)
        self.asked: list[int] = []
        self.refuses_from = 1000
        self.now_s = 0.0
        self._most = most

    def compile(self, streams: int) -> Compiled:
        streams = min(streams, self._most)
        return Compiled(tuple(Place(self, turn, streams) for turn in range(TURNS)), streams)

    def recompile(self, streams: int) -> Compiled:
        self.asked.append(streams)
        if len(self.asked) > self.refuses_from:
            raise Refused("its files have changed")
        return self.compile(streams)

    def slots(self, look_every_s: float = 3600, name: str = "m", running: set[object] | None = None) -> Slots:
        return Slots(
            self.compile(4),
            name,
            Crowd(Share(64)),
            self.recompile,
            running=running,
            clock=lambda: self.now_s,
            look_every_s=look_every_s,
        )


class Place:
    def __init__(self, machine: Machine, turn: int, streams: int) -> None:
        self._machine = machine
        self._turn = turn
        self._streams = streams

    def run(
        self,
        inputs: Mapping[str, Tensor],
        outputs: frozenset[str] | None,
        places: Mapping[str, Window] = NO_PLACES,
    ) -> Ran:
        if self._turn:
            self._machine.inside.release()
            self._machine.gate.wait()
        return Ran({}, self._streams)


def crowd(machine: Machine, slots: Slots, running: int, starts: int = 40) -> None:
    """Have `starts` requests come, one after the other, while `running` run with each of them."""
    machine.gate.clear()
    with ThreadPoolExecutor(running) as threads:
        for turn in range(1, running):
            threads.submit(slots[turn].run, {}, None)
        for _ in range(1, running):
            assert machine.inside.acquire(timeout=30)
        for _ in range(starts):
            slots[0].run({}, None)
        machine.gate.set()


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait until it holds, half a minute at most."""
    end_s = time.monotonic() + 30
    while not holds() and time.monotonic() < end_s:
        time.sleep(0.002)
    return holds()


def test_a_lasting_crowd_gets_a_stream_for_each_request() -> None:
    machine = Machine()
    slots = machine.slots()
    crowd(machine, slots, running=20)
    assert eventually(lambda: slots.streams == 32)
    assert slots[0].run({}, None).infer_ns == 32


def test_requests_that_find_a_stream_change_nothing() -> None:
    machine = Machine()
    slots = machine.slots()
    crowd(machine, slots, running=4, starts=1000)
    assert (slots.streams, machine.asked) == (4, [])


def test_a_bigger_crowd_gets_more() -> None:
    machine = Machine()
    slots = machine.slots()
    crowd(machine, slots, running=6)
    assert eventually(lambda: slots.streams == 8)
    crowd(machine, slots, running=60, starts=80)
    assert eventually(lambda: slots.streams == 64)


def test_the_requests_of_all_models_count_together() -> None:
    machine = Machine()
    running: set[object] = set()
    busy, used = (machine.slots(running=running) for _ in range(2))
    keys = [object() for _ in range(20)]
    for turn, key in enumerate(keys):
        busy.begin(turn, key)
    for _ in range(40):
        used[0].run({}, None)
    assert eventually(lambda: used.streams == 32)
    for key in keys:
        busy.end(key)
    assert not running


def test_what_the_device_does_not_give_is_not_asked_for_again() -> None:
    machine = Machine(most=16)
    slots = machine.slots()
    crowd(machine, slots, running=60)
    assert eventually(lambda: slots.streams == 16)
    crowd(machine, slots, running=60, starts=1000)
    assert machine.asked == [64]


def test_streams_that_nobody_uses_go() -> None:
    machine = Machine()
    slots = machine.slots(look_every_s=0.01)
    crowd(machine, slots, running=20)
    assert eventually(lambda: machine.asked == [32] and slots.streams == 4)


def test_a_model_that_cannot_be_compiled_again_goes_on_as_it_is() -> None:
    machine = Machine()
    machine.refuses_from = 0
    slots = machine.slots(name="refused")
    crowd(machine, slots, running=20)
    assert eventually(lambda: machine.asked == [32])
    crowd(machine, slots, running=60, starts=1000)
    assert eventually(lambda: not following("refused"))
    assert (slots.streams, machine.asked) == (4, [32])


def test_nor_is_it_tried_again_for_fewer_streams() -> None:
    machine = Machine()
    slots = machine.slots(look_every_s=0.01, name="once")
    machine.refuses_from = 1
    crowd(machine, slots, running=20)
    for turn in range(6):
        slots.begin(turn, object())

    def has_stayed() -> bool:
        slots[6].run({}, None)
        return machine.asked == [32, 8] and not following("once")

    machine.gate.set()
    assert eventually(has_stayed)
    assert slots.streams == 32


def crowded() -> tuple[Machine, Slots]:
    """Slots that a crowd has brought 32 streams."""
    machine = Machine()
    slots = machine.slots()
    crowd(machine, slots, running=20)
    assert eventually(lambda: slots.streams == 32)
    return machine, slots


def test_a_request_that_is_alone_runs_on_what_was_compiled_first() -> None:
    machine, slots = crowded()
    machine.now_s += 1
    assert [slots[0].run({}, None).infer_ns for _ in range(3)] == [4, 4, 4]
    assert slots.streams == 32


def test_one_of_two_that_met_a_moment_ago_is_not_alone() -> None:
    machine, slots = crowded()
    for _ in range(20):
        machine.now_s += 1
        other = object()
        slots.begin(1, other)
        ran = [slots[0].run({}, None)]
        slots.end(other)
        machine.now_s += 0.9
        ran.append(slots[0].run({}, None))
        assert [each.infer_ns for each in ran] == [32, 32]


def following(name: str) -> bool:
    return any(thread.name == f"streams {name}" for thread in threading.enumerate())


def test_slots_that_nobody_holds_are_followed_no_longer() -> None:
    machine = Machine()
    slots: Slots | None = machine.slots(name="gone")
    crowd(machine, slots, running=20)
    assert eventually(lambda: slots.streams == 32)
    gone = weakref.ref(slots)
    slots = None
    gc.collect()
    assert gone() is None
    assert eventually(lambda: not following("gone"))


# With OpenVINO


def product() -> ov.Model:
    x = small_models.parameter("x", [256, 256])
    same = ops.matmul(x, ops.constant(np.eye(256, dtype=np.float32)), transpose_a=False, transpose_b=False)
    return ov.Model([small_models.named(same, "y")], [x], "product")


def load(folder: Path, model: ov.Model, **settings: object) -> LoadedModel:
    small_models.save(model, folder)
    config = ModelConfig.model_validate({"name": "m", "base_path": folder, **settings})
    return Engine(budget=CoreBudget(2, 2)).load(find_files(folder), NameMapping(), config)


def press(slots: Slots, until: Callable[[], bool]) -> list[np.ndarray]:
    """Keep every slot busy until it holds, and return an answer of each to its last request."""
    end_s = time.monotonic() + 60

    def loop(turn: int) -> np.ndarray:
        while True:
            answer = slots[turn].run({"x": Tensor(DType.FP32, X + turn)}, None).outputs["y"].data
            assert (answer == X + turn).all()
            if until() or time.monotonic() > end_s:
                return answer

    with ThreadPoolExecutor(len(slots)) as threads:
        return list(threads.map(loop, range(len(slots))))


@needs_two_cores
def test_a_model_that_is_asked_a_lot_gets_more_streams_and_answers_right_all_the_time(tmp_path: Path) -> None:
    slots = load(tmp_path, product()).slots
    assert (slots.streams, len(slots)) == (1, 4)
    press(slots, until=lambda: slots.streams == 2)
    assert slots.streams == 2


@needs_two_cores
def test_a_shape_of_auto_gets_them_for_itself(tmp_path: Path) -> None:
    loaded = load(tmp_path, product(), shape="auto")
    variant = loaded.reshaper.compile(((256, 256),))
    assert (variant.streams, len(variant)) == (1, len(loaded.slots))
    press(variant, until=lambda: variant.streams == 2)
    assert (variant.streams, loaded.slots.streams) == (2, 1)


def test_one_core_of_several_is_one_stream_with_one_request_in_front_of_it(tmp_path: Path) -> None:
    small_models.save(product(), tmp_path)
    config, budget = ModelConfig(name="m", base_path=tmp_path), CoreBudget(1, visible_cores())
    slots = Engine(budget=budget).load(find_files(tmp_path), NameMapping(), config).slots
    assert (slots.streams, len(slots)) == (1, 2)


def test_what_waits_for_a_stream_is_not_counted_as_inference(tmp_path: Path) -> None:
    slots = load(tmp_path, small_models.slow(), nireq=3, plugin_config={"NUM_STREAMS": "1"}).slots
    request = {"n": Tensor(DType.INT64, np.array(40))}
    begun_ns = time.perf_counter_ns()
    with ThreadPoolExecutor(3) as threads:
        runs = [
            threads.submit(lambda turn: [slots[turn].run(request, None) for _ in range(5)], turn) for turn in range(3)
        ]
        inferred_ns = sum(ran.infer_ns for run in runs for ran in run.result())
    assert inferred_ns < 2 * (time.perf_counter_ns() - begun_ns)  # three times, if all that run were counted


@needs_two_cores
def test_a_model_whose_files_have_changed_keeps_its_content_and_its_streams(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slots = load(tmp_path, product()).slots
    (tmp_path / "model.bin").write_bytes(b"something else")
    told = "its files have changed since it was loaded"
    press(slots, until=lambda: told in caplog.text)
    assert told in caplog.text
    assert slots.streams == 1


@needs_two_cores
def test_a_model_for_which_there_is_no_memory_twice_keeps_its_streams(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = X.nbytes
    monkeypatch.setattr("ovserve.engine.again.memory_left", lambda: 3 * weights - 1)
    slots = load(tmp_path, product()).slots
    told = f"its weights have {weights} bytes, and only {3 * weights - 1} bytes of memory are left"
    press(slots, until=lambda: told in caplog.text)
    assert told in caplog.text
    assert slots.streams == 1


@needs_two_cores
def test_what_a_sequence_keeps_goes_on_with_other_streams(tmp_path: Path) -> None:
    x = small_models.parameter("x", [256, 256])
    zeros = ops.constant(np.zeros((256, 256), np.float32))
    total = ops.add(ops.read_value(zeros, "sum", ov.Type.f32, ov.PartialShape([256, 256])), x)
    same = ops.matmul(total, ops.constant(np.eye(256, dtype=np.float32)), transpose_a=False, transpose_b=False)
    model = ov.Model([small_models.named(same, "y")], [ops.assign(total, "sum")], [x], "sum")
    slots = load(tmp_path, model).slots
    one = {"x": Tensor(DType.FP32, np.ones((256, 256), np.float32))}
    _, state = slots[0].run_on(None, one, None)
    for turn in range(2):
        slots.begin(turn, object())  # as two requests at once
    slots.adapt(is_crowded=True)
    assert slots.streams == 2
    ran, _ = slots[1].run_on(state, one, None)
    assert (ran.outputs["y"].data == 2).all()


def test_the_users_streams_stay(tmp_path: Path) -> None:
    slots = load(tmp_path, product(), plugin_config={"NUM_STREAMS": "1"}).slots
    assert isinstance(slots[0], Slot)
    assert slots.streams == 1


@needs_two_cores
def test_a_model_that_runs_one_request_at_a_time_has_one_stream(tmp_path: Path) -> None:
    assert load(tmp_path, product(), nireq=1).slots.streams == 1
