"""Tensors as bytes: numbers row by row, little-endian; of strings, each its length (4 bytes) and its bytes.

So raw contents travel over KServe v2, lie in shared memory, and in the files of Triton's `model_warmup`. Pure.
"""

import math
import struct

import numpy as np

from ovserve.errors import WrongContent
from ovserve.tensors import Array, DType, Shape, Tensor, list_text

_LENGTH = struct.Struct("<I")


def read(raw: bytes | memoryview, dtype: DType, shape: Shape, label: str) -> Array:
    """View `raw` as an array (strings are copied); raises `WrongContent`, which begins with `label`."""
    if dtype is DType.BYTES:
        return _read_strings(raw, math.prod(shape), label).reshape(shape)
    check_length(len(raw), dtype, shape, label)
    return np.frombuffer(raw, dtype.numpy).reshape(shape)


def check_length(length: int, dtype: DType, shape: Shape, label: str) -> None:
    """Raise `WrongContent` where numbers cannot have `length` bytes; strings have any number."""
    expected = math.prod(shape) * dtype.numpy.itemsize
    if length != expected and dtype is not DType.BYTES:
        raise WrongContent(
            f"{label} of shape {list_text(shape)} and datatype {dtype.kserve} expects {expected} bytes, got {length}"
        )


def write(tensor: Tensor) -> bytes:
    if tensor.dtype is not DType.BYTES:
        return tensor.data.tobytes()
    return b"".join(part for element in tensor.data.ravel() for part in (_LENGTH.pack(len(element)), element))


def view(tensor: Tensor) -> memoryview:
    """Make the same bytes as `write`, without a copy where there are numbers."""
    if tensor.dtype is DType.BYTES:
        return memoryview(write(tensor))
    return np.ascontiguousarray(tensor.data).reshape(-1).view(np.uint8).data


def _read_strings(raw: bytes | memoryview, count: int, label: str) -> Array:
    """Read exactly `count` elements into an object array."""
    if count * _LENGTH.size > len(raw):
        raise WrongContent(f"{label} expects {count} elements, which {len(raw)} bytes cannot hold")
    elements = np.empty(count, np.object_)
    at = 0
    for index in range(count):
        start = at + _LENGTH.size
        if start > len(raw):
            raise WrongContent(f"{label} expects {count} elements, got {index}")
        at = start + _LENGTH.unpack_from(raw, at)[0]
        if at > len(raw):
            raise WrongContent(f"{label}: element {index} is {at - start} bytes long, but {len(raw) - start} remain")
        elements[index] = bytes(raw[start:at])
    if at != len(raw):
        raise WrongContent(f"{label} expects {count} elements, after which {len(raw) - at} bytes remain")
    return elements
