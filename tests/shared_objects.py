"""Shared memory objects of tests, as files: removed at their end, with what was registered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb

from wire_server import Answer, Wire


class Memory:
    """An object, and a connection over which its parts are registered."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.key = f"ovserve_test_{uuid4().hex}"
        self.path = Path("/dev/shm") / self.key  # noqa: S108 - that is where it lies

    def register(self, name: str = "r", key: str | None = None, offset: int = 0, byte_size: int = 64) -> Answer:
        message = pb.SystemSharedMemoryRegisterRequest(
            name=name, key=self.key if key is None else key, offset=offset, byte_size=byte_size
        )
        return self.wire.call("SystemSharedMemoryRegister", message)

    def close(self, name: str = "") -> None:
        """Forget the region of this name, or all, and remove the object."""
        assert (
            self.wire.call("SystemSharedMemoryUnregister", pb.SystemSharedMemoryUnregisterRequest(name=name)).code
            is grpc.StatusCode.OK
        )
        self.path.unlink(missing_ok=True)

    def put(self, array: np.ndarray, offset: int = 0) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(array.tobytes())

    def get(self, like: np.ndarray, offset: int = 0) -> np.ndarray:
        with self.path.open("rb") as file:
            file.seek(offset)
            return np.frombuffer(file.read(like.nbytes), like.dtype).reshape(like.shape)


@contextmanager
def region(wire: Wire, size: int) -> Iterator[Memory]:
    """Register an object of so many bytes under its own key."""
    memory = Memory(wire)
    memory.path.write_bytes(bytes(size))
    try:
        assert memory.register(memory.key, byte_size=size).code is grpc.StatusCode.OK
        yield memory
        memory.close(memory.key)
    finally:
        memory.path.unlink(missing_ok=True)


def place(tensor: Any, size: int, offset: int = 0, region: str = "r") -> None:
    """Say that a tensor lies in shared memory."""
    tensor.parameters["shared_memory_region"].string_param = region
    tensor.parameters["shared_memory_byte_size"].int64_param = size
    if offset:
        tensor.parameters["shared_memory_offset"].int64_param = offset
