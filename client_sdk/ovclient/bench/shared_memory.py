"""A request whose tensors lie in system shared memory, as Triton has it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from tritonclient.grpc import service_pb2 as pb

from ovclient._calls import Call
from ovclient._encode import encode

_FOLDER = Path("/dev/shm")  # noqa: S108 - where shm_open puts what it opens

Run = Callable[[Call[Any]], Any]


@contextmanager
def in_shared_memory(run: Run, request: Any, outputs: Mapping[str, np.ndarray]) -> Iterator[Any]:
    """Make the same request with its inputs in a region of its own, where room for such `outputs` is too.

    All who send it write their outputs to the same place. Raises what `run`, which makes calls, raises, and `OSError`
    where there is no shared memory.
    """
    moved = pb.ModelInferRequest()
    moved.CopyFrom(request)
    del moved.raw_input_contents[:], moved.outputs[:]
    key = f"ovclient_{uuid4().hex}"
    end = 0
    for tensor, raw in zip(moved.inputs, request.raw_input_contents, strict=True):
        end = _place(tensor, key, end, len(raw))
    for name, array in outputs.items():
        end = _place(moved.outputs.add(name=name), key, end, len(encode(name, array)[2]))
    path = _FOLDER / key
    try:
        _write(path, b"".join(request.raw_input_contents), end)
        region = pb.SystemSharedMemoryRegisterRequest(name=key, key=key, byte_size=end)
        run(Call("SystemSharedMemoryRegister", region, _nothing))
        try:
            yield moved
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
