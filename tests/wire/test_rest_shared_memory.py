"""System shared memory over REST, with tritonclient."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import tritonclient.http as triton

from http_door import HttpDoor
from server_process import ServerProcess

X = np.arange(8, dtype=np.float32)


@pytest.fixture
def client(server: ServerProcess, door: HttpDoor) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.rest_address) as client:
        yield client
        client.unregister_system_shared_memory()


@pytest.fixture
def file() -> Iterator[Path]:
    path = Path("/dev/shm") / f"ovserve_test_{uuid4().hex}"  # noqa: S108 - that is where it lies
    path.write_bytes(X.tobytes() + bytes(32))
    yield path
    path.unlink()


def test_tensors_are_read_from_and_written_to_a_region(client: triton.InferenceServerClient, file: Path) -> None:
    client.register_system_shared_memory("r", file.name, 64)
    assert client.get_system_shared_memory_status() == [{"name": "r", "key": file.name, "offset": 0, "byte_size": 64}]
    given, wanted = triton.InferInput("x", [8], "FP32"), triton.InferRequestedOutput("y")
    given.set_shared_memory("r", 32)
    wanted.set_shared_memory("r", 32, offset=32)
    output = client.infer("grow", [given], outputs=[wanted]).get_output("y")
    assert output["parameters"] == {
        "shared_memory_region": "r",
        "shared_memory_byte_size": 32,
        "shared_memory_offset": 32,
    }
    assert (np.frombuffer(file.read_bytes()[32:], np.float32) == X + 1).all()
    client.unregister_system_shared_memory("r")
    assert client.get_system_shared_memory_status() == []


def test_what_is_wrong_with_a_region_is_told(client: triton.InferenceServerClient, door: HttpDoor, file: Path) -> None:
    register = "/v2/systemsharedmemory/region/r/register"
    for body, status, sentence in (
        ({}, 400, "'key' is null"),
        ({"key": 3}, 400, "'key' is the number 3"),
        ({"key": file.name, "byte_size": "64"}, 400, "'byte_size' is a string"),
        ({"key": "../etc/passwd", "byte_size": 1}, 400, "is not the name of a shared memory object"),
        ({"key": file.name, "byte_size": 65}, 400, "which has 64 bytes"),
    ):
        answer = door.ask("POST", register, body)
        assert (answer.status, sentence in answer.error) == (status, True), answer.error
    assert door.ask("POST", register, {"key": file.name, "byte_size": 64}).status == 200
    assert door.ask("POST", register, {"key": file.name, "byte_size": 64}).status == 409
    assert door.get("/v2/systemsharedmemory/region/s/status").status == 404
    region = {"shared_memory_region": "r", "shared_memory_byte_size": 32}
    tensor = {"name": "x", "datatype": "FP32", "shape": [8], "parameters": region}
    for wrong, sentence in (
        ({"data": [0] * 8}, "has 'data' although it lies in shared memory"),
        ({"shape": [9]}, "expects 36 bytes, got 32"),
        ({"parameters": region | {"shared_memory_offset": 40}}, "refers to 32 bytes from offset 40"),
        ({"parameters": region | {"shared_memory_region": 1}}, "'shared_memory_region' is the number 1"),
    ):
        answer = door.infer("grow", {"inputs": [tensor | wrong]})
        assert (answer.status, sentence in answer.error) == (400, True), answer.error
