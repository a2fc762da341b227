"""Tensors in shared memory, whatever kind of model they go to and however many clients there are."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import grpc
import numpy as np
import openvino as ov
import pytest
from tritonclient.grpc import service_pb2 as pb

import python_models
import small_models
from server_process import ServerProcess, sound_server
from shared_objects import place, region
from wire_server import Wire, request

OK, INVALID = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT
LARGE = 1 << 17  # numbers, of 512 KB: more than is copied into a slot's own tensor over the wire
SMALL = 10
KINDS = [kind for kind in small_models.NUMERIC if kind != "bf16"]

BATCHED = "max_batch_size: 4 dynamic_batching { max_queue_delay_microseconds: 1000 }"
PADDED = f'{BATCHED} parameters {{ key: "ENABLE_BATCH_PADDING" value {{ string_value: "YES" }} }}'
SEQUENCED = "sequence_batching { }"
AUTO = 'parameters { key: "shape" value { string_value: "auto" } }'
CHAIN = """
platform: "ensemble"
input [ { name: "in" data_type: TYPE_FP32 dims: [ 1, -1 ] } ]
output [ { name: "out" data_type: TYPE_FP32 dims: [ 1, -1 ] } ]
ensemble_scheduling { step [
  { model_name: "rows" model_version: -1 input_map { key: "x" value: "in" } output_map { key: "y" value: "between" } },
  { model_name: "rows" model_version: -1 input_map { key: "x" value: "between" } output_map { key: "y" value: "out" } }
] }
"""


@dataclass(frozen=True)
class Served:
    """A model, what it does to a number, and what its tensors are called."""

    model: ov.Model | str
    config: str = ""
    input: str = "x"
    output: str = "y"
    does: Callable[[np.ndarray], np.ndarray] = lambda x: x + 1


MODELS = MappingProxyType(
    {
        "large": Served(small_models.add_one([1, LARGE])),
        "small": Served(small_models.add_one([1, SMALL])),
        "rows": Served(small_models.add_one([-1, -1])),
        "pass": Served(small_models.pass_through("f32", [1, LARGE]), output="x", does=lambda x: x),
        "auto": Served(small_models.add_one([1, SMALL]), AUTO),
        "batched": Served(small_models.add_one([-1, LARGE]), BATCHED),
        "padded": Served(small_models.add_one([4, SMALL]), PADDED),
        "chain": Served("", CHAIN, "in", "out", lambda x: x + 2),
        "python": Served(python_models.source(dims="[-1, -1]"), 'backend: "python"', does=lambda x: x * 2),
        "sequenced": Served(small_models.running_sum((1, LARGE)), SEQUENCED, does=lambda x: x),
    }
)


def lay_out(root: Path) -> None:
    for name, served in MODELS.items():
        (root / name / "1").mkdir(parents=True)
        if isinstance(served.model, ov.Model):
            small_models.save(served.model, root / name / "1")
        elif served.model:
            (root / name / "1/model.py").write_text(served.model)
        if served.config:
            (root / name / "config.pbtxt").write_text(served.config)
    for kind in (*KINDS, "bf16"):
        small_models.save(small_models.pass_through(kind, [LARGE]), root / f"pass_{kind}/1")
    small_models.save(small_models.add_sub([1, LARGE]), root / "two/1")


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two processes"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("repository")
    lay_out(root)
    with sound_server("--model_repository", str(root), "--grpc_workers", request.param, "--nireq", "2") as server:
        yield server


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    wire = Wire(server.address)
    yield wire
    assert server.process.poll() is None, server.log
    wire.close()


def asking(name: str, x: np.ndarray, memory: str, *, sequence: int = 0) -> pb.ModelInferRequest:
    """Ask for an output behind the input."""
    served = MODELS[name]
    message = pb.ModelInferRequest(model_name=name)
    place(message.inputs.add(name=served.input, datatype="FP32", shape=x.shape), x.nbytes, region=memory)
    place(message.outputs.add(name=served.output), x.nbytes, x.nbytes, memory)
    if sequence:
        message.parameters["sequence_id"].int64_param = sequence
        message.parameters["sequence_start"].bool_param = True
    return message


def numbers(name: str, first: int) -> np.ndarray:
    length = SMALL if name in {"small", "auto", "padded"} else LARGE
    return np.arange(first, first + length, dtype=np.float32).reshape(1, length)


@pytest.mark.parametrize("name", MODELS)
def test_clients_at_once_each_get_the_answer_to_their_own(server: ServerProcess, wire: Wire, name: str) -> None:
    def is_right(client: int) -> bool:
        mine = Wire(server.address)
        with region(wire, 2 * numbers(name, 0).nbytes) as memory:
            for number in range(12):
                x = numbers(name, 1000 * client + number)
                memory.put(x)
                sequence = client + 1 if name == "sequenced" else 0
                answer = mine.infer(asking(name, x, memory.key, sequence=sequence))
                assert answer.code is OK, answer.details
                assert (memory.get(x, x.nbytes) == MODELS[name].does(x)).all()
                assert (memory.get(x) == x).all()
        mine.close()
        return True

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(is_right, range(6)))


@pytest.mark.parametrize("kind", [*KINDS, "bf16"])
def test_every_datatype_goes_through_bit_by_bit(wire: Wire, kind: str) -> None:
    dtype = np.dtype(np.uint16) if kind == "bf16" else np.dtype(getattr(ov.Type, kind).to_dtype())
    raw = np.random.default_rng(5).integers(0, 2, LARGE * dtype.itemsize, np.uint8)
    with region(wire, 2 * raw.nbytes) as memory:
        memory.put(raw)
        message = pb.ModelInferRequest(model_name=f"pass_{kind}")
        datatype = small_models.KSERVE[kind]
        place(message.inputs.add(name="x", datatype=datatype, shape=[LARGE]), raw.nbytes, region=memory.key)
        place(message.outputs.add(name="x"), raw.nbytes, raw.nbytes, memory.key)
        for _ in range(3):
            answer = wire.infer(message)
            assert answer.code is OK, answer.details
        assert (memory.get(raw, raw.nbytes) == raw).all()


def test_numbers_may_begin_anywhere(wire: Wire) -> None:
    x = numbers("large", 5)
    with region(wire, 2 * x.nbytes + 9) as memory:
        memory.put(x, 3)
        message = asking("large", x, memory.key)
        place(message.inputs[0], x.nbytes, 3, memory.key)
        place(message.outputs[0], x.nbytes, x.nbytes + 7, memory.key)
        assert wire.infer(message).code is OK
        assert (memory.get(x, x.nbytes + 7) == x + 1).all()


def test_an_output_may_lie_where_the_input_does(wire: Wire) -> None:
    x = numbers("large", 0)
    with region(wire, x.nbytes) as memory:
        memory.put(x)
        message = asking("large", x, memory.key)
        place(message.outputs[0], x.nbytes, region=memory.key)
        del message.outputs[0].parameters["shared_memory_offset"]
        for _ in range(4):
            assert wire.infer(message).code is OK
        assert (memory.get(x) == x + 4).all()


def test_shapes_that_change_leave_nothing_behind(wire: Wire) -> None:
    with region(wire, 8 * LARGE) as memory:
        for length in (3, LARGE, 1, LARGE, SMALL, LARGE // 2, 3):
            x = np.arange(length, dtype=np.float32).reshape(1, length) + length
            memory.put(x)
            assert wire.infer(asking("rows", x, memory.key)).code is OK
            assert (memory.get(x, x.nbytes) == x + 1).all()
            assert (wire.infer(request("rows", {"x": x * 2})).outputs["y"] == x * 2 + 1).all()


def test_one_output_there_and_the_other_in_the_answer(wire: Wire) -> None:
    x = numbers("large", 1)
    with region(wire, 2 * x.nbytes) as memory:
        memory.put(x)
        message = request("two", {"a": x})
        place(message.inputs.add(name="b", datatype="FP32", shape=x.shape), x.nbytes, region=memory.key)
        message.outputs.add(name="difference")
        place(message.outputs.add(name="sum"), x.nbytes, x.nbytes, memory.key)
        answer = wire.infer(message)
        assert answer.code is OK, answer.details
        there, sent = pb.ModelInferResponse.FromString(answer.data).raw_output_contents
        assert there == b""
        assert not np.frombuffer(sent, np.float32).any()
        assert (memory.get(x, x.nbytes) == 2 * x).all()


@pytest.mark.parametrize("name", ["large", "batched", "chain", "python"])
def test_too_little_room_for_an_output_is_refused(wire: Wire, name: str) -> None:
    x = numbers(name, 1)
    with region(wire, 2 * x.nbytes) as memory:
        memory.put(x)
        message = asking(name, x, memory.key)
        place(message.outputs[0], x.nbytes - 1, x.nbytes, memory.key)
        answer = wire.infer(message)
        assert answer.code is INVALID
        assert answer.details == (
            f"model '{name}': output '{MODELS[name].output}' has {x.nbytes} bytes, expected at most the "
            f"{x.nbytes - 1} that the request gives it in shared memory region '{memory.key}'"
        )
        assert not memory.get(x, x.nbytes).any()
        assert wire.infer(asking(name, x, memory.key)).code is OK


@pytest.mark.parametrize("name", [name for name in MODELS if name != "sequenced"])
def test_what_was_truncated_is_refused_and_the_model_goes_on(wire: Wire, name: str) -> None:
    x = numbers(name, 1)
    with region(wire, 2 * x.nbytes) as memory:
        for length in (5, x.nbytes - 1, x.nbytes, 2 * x.nbytes - 1):
            os.truncate(memory.path, length)
            answer = wire.infer(asking(name, x, memory.key))
            end = f"ends at byte {2 * x.nbytes} of '{memory.key}', which has {length} bytes"
            assert (answer.code, answer.details) == (INVALID, f"shared memory region '{memory.key}' {end}")
            assert memory.path.stat().st_size == length
        os.truncate(memory.path, 2 * x.nbytes)
        memory.put(x)
        assert wire.infer(asking(name, x, memory.key)).code is OK
        assert (memory.get(x, x.nbytes) == MODELS[name].does(x)).all()


@pytest.mark.parametrize("name", ["large", "pass", "rows", "batched", "chain", "python"])
def test_regions_that_are_truncated_while_requests_run_do_no_harm(wire: Wire, name: str) -> None:
    x = numbers(name, 1)
    done = threading.Event()
    with region(wire, 2 * x.nbytes) as bad, region(wire, 2 * x.nbytes) as good, ThreadPoolExecutor(1) as threads:

        def truncate() -> None:
            while not done.is_set():
                for length in (0, x.nbytes // 2, 2 * x.nbytes, x.nbytes + 1, 2 * x.nbytes):
                    os.truncate(bad.path, length)

        truncating = threads.submit(truncate)
        try:
            for number in range(40):
                y = x + number
                good.put(y)
                calls = [wire.future("ModelInfer", asking(name, x, bad.key)) for _ in range(3)]
                answer = wire.infer(asking(name, y, good.key))
                assert answer.code is OK, answer.details
                assert (good.get(y, y.nbytes) == MODELS[name].does(y)).all()
                for call in calls:
                    assert call.code() in {OK, INVALID}, call.details()
                    assert call.code() is OK or "shared memory region" in (call.details() or "")
        finally:
            done.set()
        truncating.result()
