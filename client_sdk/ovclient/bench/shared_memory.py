"""Requests whose tensors lie in system shared memory, as Triton has it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from tritonclient.grpc import service_pb2 as pb

from ovclient._calls import Call
from ovclient._encode import encode

_FOLDER = Path("/dev/shm")  # noqa: S108 - where shm_open puts what it opens
_MOST_CLIENTS = 64  # with a region each; a server of ours has 256

Run = Callable[[Call[Any]], Any]


@contextmanager
def in_shared_memory(run: Run, request: Any, outputs: Mapping[str, np.ndarray], clients: int) -> Iterator[list[Any]]:
    """Make a request for each client: inputs in a region that all read, and a region of its own for `outputs`.

    Each client has its own as only one at a time writes to a file; those beyond 64 begin again with the first. Raises
    what `run`, which makes calls, raises, and `OSError` where there is no shared memory.
    """
    moved = pb.ModelInferRequest()
    moved.CopyFrom(request)
    del moved.raw_input_contents[:], moved.outputs[:]
    key = f"ovclient_{uuid4().hex}"
    end = 0
    for tensor, raw in zip(moved.inputs, request.raw_input_contents, strict=True):
        end = _place(tensor, key, end, len(raw))
    with ExitStack() as regions:
        regions.enter_context(_region(run, key, b"".join(request.raw_input_contents), end))
        requests = []
        for number in range(min(clients, _MOST_CLIENTS)):
            own = pb.ModelInferRequest()
            own.CopyFrom(moved)
            end = 0
            for name, array in outputs.items():
                end = _place(own.outputs.add(name=name), f"{key}_{number}", end, len(encode(name, array)[2]))
            regions.enter_context(_region(run, f"{key}_{number}", b"", end))
            requests.append(own)
        yield requests


@contextmanager
def _region(run: Run, key: str, data: bytes, size: int) -> Iterator[None]:
    """Have an object with `data`, registered as long as it is needed."""
    path = _FOLDER / key
    try:
        _write(path, data, size)
        region = pb.SystemSharedMemoryRegisterRequest(name=key, key=key, byte_size=size)
        run(Call("SystemSharedMemoryRegister", region, _nothing))
        try:
            yield
        finally:
            run(Call("SystemSharedMemoryUnregister", pb.SystemSharedMemoryUnregisterRequest(name=key), _nothing))
    finally:
        path.unlink(missing_ok=True)


def _place(tensor: Any, region: str, offset: int, size: int) -> int:
    """Say where a tensor lies, and where the next one may begin."""
    tensor.parameters["shared_memory_region"].string_param = region
    tensor.parameters["shared_memory_byte_size"].int64_param = size
    tensor.parameters["shared_memory_offset"].int64_param = offset
    return offset + size


def _write(path: Path, data: bytes, size: int) -> None:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(file, "wb") as region:  # noqa: PTH123 - it is open already
        region.write(data)
        region.truncate(size)


def _nothing(_answer: Any) -> None:
    return None
