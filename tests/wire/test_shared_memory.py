"""System shared memory: with tritonclient, and with regions that change under the server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException, shared_memory

import small_models
from server_process import ServerProcess
from shared_objects import Memory, place
from wire_server import Wire, raw_strings, request, texts

INVALID = grpc.StatusCode.INVALID_ARGUMENT
OK = grpc.StatusCode.OK
NOT_FOUND = grpc.StatusCode.NOT_FOUND
X = np.arange(8, dtype=np.float32)


@pytest.fixture
def memory(wire: Wire) -> Iterator[Memory]:
    memory = Memory(wire)
    memory.path.write_bytes(X.tobytes() + bytes(32))
    yield memory
    memory.close()


def asking(size: int = 32, offset: int = 0, *, output: tuple[int, int] | None = None) -> pb.ModelInferRequest:
    """`grow` is to add 1 to eight numbers in the region."""
    message = pb.ModelInferRequest(model_name="grow", id="7")
    place(message.inputs.add(name="x", datatype="FP32", shape=[8]), size, offset)
    if output is not None:
        place(message.outputs.add(name="y"), *output)
    return message


def test_tritonclient_sends_and_receives_in_shared_memory(server: ServerProcess, wire: Wire) -> None:
    given = shared_memory.create_shared_memory_region("in", f"/ovserve_{uuid4().hex}", 32)
    taken = shared_memory.create_shared_memory_region("out", f"/ovserve_{uuid4().hex}", 64)
    try:
        shared_memory.set_shared_memory_region(given, [X])
        with triton.InferenceServerClient(server.address) as client:
            client.register_system_shared_memory("in", given._shm_key, 32)
            client.register_system_shared_memory("out", taken._shm_key, 64)
            x = triton.InferInput("x", [8], "FP32")
            x.set_shared_memory("in", 32)
            y = triton.InferRequestedOutput("y")
            y.set_shared_memory("out", 32, 16)
            result = client.infer("grow", [x], outputs=[y])
            assert set(client.get_system_shared_memory_status().regions) == {"in", "out"}
            client.unregister_system_shared_memory()
            assert not client.get_system_shared_memory_status().regions
        output = result.get_output("y")
        assert output.parameters["shared_memory_region"].string_param == "out"
        assert output.parameters["shared_memory_byte_size"].int64_param == 32
        assert output.parameters["shared_memory_offset"].int64_param == 16
        got = shared_memory.get_contents_as_numpy(taken, np.float32, [8], 16)
        assert got.tolist() == (X + 1).tolist()
        del got
    finally:
        shared_memory.destroy_shared_memory_region(given)
        shared_memory.destroy_shared_memory_region(taken)


def test_some_inputs_in_memory_and_others_in_the_message(memory: Memory, wire: Wire) -> None:
    assert memory.register().code is OK
    b = np.full((2, 4), 2, np.float32)
    message = request("dyn", {"b": b})
    place(message.inputs.add(name="a", datatype="FP32", shape=[2, 4]), 32)
    message.outputs.add(name="difference")
    place(message.outputs.add(name="sum"), 32, 32)
    answer = wire.infer(message)
    outputs = pb.ModelInferResponse.FromString(answer.data)
    assert [output.name for output in outputs.outputs] == ["sum", "difference"]
    assert outputs.raw_output_contents[0] == b""
    assert np.frombuffer(outputs.raw_output_contents[1], np.float32).tolist() == (X - 2).tolist()
    assert np.frombuffer(memory.path.read_bytes()[32:], np.float32).tolist() == (X + 2).tolist()


def test_strings_lie_there_too(memory: Memory, wire: Wire) -> None:
    content = raw_strings(texts(b"one", b"", b"\xff"))
    memory.path.write_bytes(content.ljust(64))
    assert memory.register().code is OK
    message = pb.ModelInferRequest(model_name="text")
    place(message.inputs.add(name="x", datatype="BYTES", shape=[3]), len(content))
    place(message.outputs.add(name="x"), 32, 32)
    assert wire.infer(message).code is OK
    assert memory.path.read_bytes()[32:].startswith(content)


def test_a_region_begins_at_its_offset(memory: Memory, wire: Wire) -> None:
    assert memory.register(offset=16, byte_size=48).code is OK
    message = asking(output=(32, 16))
    message.inputs[0].shape[:] = [4]
    message.inputs[0].parameters["shared_memory_byte_size"].int64_param = 16
    assert wire.infer(message).code is OK
    assert np.frombuffer(memory.path.read_bytes()[32:48], np.float32).tolist() == [5, 6, 7, 8]


def test_a_region_goes_through_a_stream_too(memory: Memory, wire: Wire) -> None:
    assert memory.register().code is OK
    stream = wire.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")(
        iter([asking(output=(32, 32)).SerializeToString()]), timeout=60
    )
    (answer,) = map(pb.ModelStreamInferResponse.FromString, stream)
    assert answer.error_message == ""
    assert np.frombuffer(memory.path.read_bytes()[32:], np.float32).tolist() == (X + 1).tolist()


def test_status_tells_what_was_registered(memory: Memory, wire: Wire) -> None:
    assert memory.register(offset=8, byte_size=16).code is OK
    answer = wire.call("SystemSharedMemoryStatus", pb.SystemSharedMemoryStatusRequest(name="r"))
    region = pb.SystemSharedMemoryStatusResponse.FromString(answer.data).regions["r"]
    assert (region.name, region.key, region.offset, region.byte_size) == ("r", memory.key, 8, 16)


def test_a_name_is_registered_once(memory: Memory) -> None:
    assert memory.register().code is OK
    again = memory.register()
    assert again.code is grpc.StatusCode.ALREADY_EXISTS
    assert again.details == "shared memory region 'r' is registered already"


def test_an_unknown_name_has_no_status_and_may_be_unregistered(wire: Wire) -> None:
    assert wire.call("SystemSharedMemoryStatus", pb.SystemSharedMemoryStatusRequest(name="no")).code is NOT_FOUND
    assert wire.call("SystemSharedMemoryUnregister", pb.SystemSharedMemoryUnregisterRequest(name="no")).code is OK


@pytest.mark.parametrize(
    "key", ["", "/", ".", "..", "/..", "a/b", "../etc/passwd", "/../etc/passwd", "//etc/passwd", "x" * 300, "a\0b"]
)
def test_a_key_is_a_plain_name(memory: Memory, key: str) -> None:
    answer = memory.register(key=key)
    assert answer.code is INVALID
    assert "is not the name of a shared memory object" in answer.details


def test_a_link_is_not_followed(memory: Memory) -> None:
    memory.path.unlink()
    memory.path.symlink_to("/etc/passwd")
    answer = memory.register(byte_size=1)
    assert (answer.code, "cannot be opened" in answer.details) == (INVALID, True)


def test_what_is_no_file_is_refused(memory: Memory) -> None:
    memory.path.unlink()
    os.mkfifo(memory.path)
    answer = memory.register(byte_size=1)
    assert (answer.code, "is not a shared memory object" in answer.details) == (INVALID, True)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"byte_size": 65}, "ends at byte 65"),
        ({"offset": 1}, "ends at byte 65"),
        ({"offset": 2**63, "byte_size": 2**63}, "which has 64 bytes"),
        ({"byte_size": 0}, "expects a byte_size of 1 or more, got 0"),
        ({"name": ""}, "expects a name of 1 to 255 characters"),
        ({"key": "ovserve_test_nothing"}, "cannot be opened: No such file or directory"),
    ],
)
def test_a_region_that_is_not_there_is_refused(memory: Memory, fields: dict[str, Any], sentence: str) -> None:
    answer = memory.register(**fields)
    assert answer.code is INVALID
    assert sentence in answer.details


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (asking(32, 33), "input 'x' refers to 32 bytes from offset 33 of shared memory region 'r', which has 64"),
        (asking(32, -1), "input 'x' refers to 32 bytes from offset -1"),
        (asking(-1), "input 'x' refers to -1 bytes"),
        (asking(2**62, 2**62), "of shared memory region 'r', which has 64"),
        (asking(28), "input 'x' of shape [8] and datatype FP32 expects 32 bytes, got 28"),
        (asking(output=(65, 0)), "output 'y' refers to 65 bytes"),
        (asking(output=(31, 0)), "output 'y' has 32 bytes, expected at most the 31"),
    ],
)
def test_bounds_are_checked(memory: Memory, wire: Wire, message: pb.ModelInferRequest, sentence: str) -> None:
    assert memory.register().code is OK
    answer = wire.infer(message)
    assert answer.code is INVALID
    assert f"model 'grow': {sentence}" in answer.details or sentence in answer.details


def test_classes_do_not_go_there(memory: Memory, wire: Wire) -> None:
    assert memory.register().code is OK
    message = asking(output=(32, 32))
    message.outputs[0].parameters["classification"].int64_param = 1
    answer = wire.infer(message)
    assert (answer.code, "do not go into shared memory" in answer.details) == (INVALID, True)


def truncate(path: Path) -> None:
    os.truncate(path, 5)


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"other")


@pytest.mark.parametrize(("change", "code"), [(truncate, INVALID), (remove, OK), (replace, OK)])
@pytest.mark.parametrize("output", [None, (32, 32)])
def test_a_region_that_changes_under_the_server_does_it_no_harm(
    memory: Memory, wire: Wire, change: Callable[[Path], None], code: grpc.StatusCode, output: tuple[int, int] | None
) -> None:
    assert memory.register().code is OK
    change(memory.path)
    answer = wire.infer(asking(output=output))
    assert answer.code is code
    if change is truncate:
        assert "ends at byte 64" in answer.details
        assert memory.path.stat().st_size == 5


def test_a_region_truncated_before_the_answer_is_not_written(memory: Memory, wire: Wire) -> None:
    assert memory.register().code is OK
    os.truncate(memory.path, 32)
    message = request("grow", {"x": X})
    place(message.outputs.add(name="y"), 32, 32)
    assert wire.infer(message).code is INVALID
    assert memory.path.stat().st_size == 32


def test_what_is_unregistered_while_it_is_used_is_used_to_the_end(tmp_path: Path) -> None:
    small_models.save(small_models.slow(), tmp_path / "slow/1")
    server = ServerProcess("--model_repository", str(tmp_path), "--nireq", "1")
    wire = Wire(server.address)
    memory = Memory(wire)
    memory.path.write_bytes(bytes(64))
    assert memory.register().code is OK
    message = request("slow", {"n": np.array(200, np.int64)})
    place(message.outputs.add(name="y"), 4)
    calls = [wire.future("ModelInfer", message) for _ in range(2)]
    memory.path.write_bytes(bytes(64))
    calls[0].result()
    memory.close()
    assert calls[1].code() in {OK, NOT_FOUND}
    assert wire.infer(message).code is NOT_FOUND
    wire.close()
    assert server.stop() == 0
    assert "internal error" not in server.log


def test_the_number_of_regions_is_bounded(memory: Memory) -> None:
    codes = [memory.register(str(number)).code for number in range(257)]
    assert codes == [OK] * 256 + [grpc.StatusCode.RESOURCE_EXHAUSTED]


def test_files_are_closed_with_their_regions(server: ServerProcess, memory: Memory, wire: Wire) -> None:
    before = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    for number in range(50):
        assert memory.register(str(number)).code is OK
        assert memory.register(str(number)).code is grpc.StatusCode.ALREADY_EXISTS
    assert wire.call("SystemSharedMemoryUnregister", b"").code is OK
    assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < before + 10


def test_what_is_large_is_mapped_as_long_as_it_is_registered(server: ServerProcess, memory: Memory, wire: Wire) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps")
    size = 1 << 20
    memory.path.write_bytes(bytes(2 * size))
    assert memory.register(byte_size=2 * size).code is OK
    assert memory.key not in maps.read_text()
    message = pb.ModelInferRequest(model_name="grow")
    place(message.inputs.add(name="x", datatype="FP32", shape=[size // 4]), size)
    place(message.outputs.add(name="y"), size, size)
    for _ in range(2):
        assert wire.infer(message).code is OK
        assert (memory.get(np.empty(size // 4, np.float32), size) == 1).all()
        assert maps.read_text().count(memory.key) == 1
    assert wire.call("SystemSharedMemoryUnregister", b"").code is OK
    assert memory.key not in maps.read_text()


@pytest.mark.parametrize("allowed", [False, True])
def test_where_other_machines_can_ask_it_must_be_allowed(tmp_path: Path, allowed: bool) -> None:
    small_models.save(small_models.add_one([-1]), tmp_path / "grow/1")
    more = ("--allow_remote_management",) if allowed else ()
    server = ServerProcess("--model_repository", str(tmp_path), "--grpc_bind_address", "0.0.0.0", *more)  # noqa: S104
    key = f"/ovserve_{uuid4().hex}"
    region = shared_memory.create_shared_memory_region("r", key, 32)
    try:
        with triton.InferenceServerClient(server.address) as client:
            if allowed:
                client.register_system_shared_memory("r", key, 32)
            else:
                with pytest.raises(InferenceServerException, match=r"PERMISSION_DENIED.*--allow_remote_management"):
                    client.register_system_shared_memory("r", key, 32)
    finally:
        shared_memory.destroy_shared_memory_region(region)
    assert server.stop() == 0
