"""KServe tensors to arrays: raw or typed contents; whatever breaks the protocol is a BadResponse."""

import math
import struct
from typing import Any

import numpy as np

from ovclient._datatypes import DATATYPES, Datatype, numpy_dtype
from ovclient._errors import BadResponse

_FIELDS = sorted({datatype.field for datatype in DATATYPES.values() if datatype.field})


def decode_all(tensors: Any, raw_contents: Any) -> dict[str, np.ndarray]:
    """The tensors of a message by name; raw contents, if any, come one for each tensor, in order."""
    if raw_contents and len(raw_contents) != len(tensors):
        raise BadResponse(f"{len(tensors)} tensors came with {len(raw_contents)} raw contents")
    arrays: dict[str, np.ndarray] = {}
    for position, tensor in enumerate(tensors):
        if tensor.name in arrays:
            raise BadResponse(f"tensor '{tensor.name}' came twice")
        raw = raw_contents[position] if raw_contents else None
        if raw is not None and tensor.contents.ByteSize():  # MLServer sends empty ones beside raw ones
            raise BadResponse(f"tensor '{tensor.name}' came with raw and with typed contents")
        arrays[tensor.name] = _decode(tensor, raw)
    return arrays


def _decode(tensor: Any, raw: bytes | memoryview | None) -> np.ndarray:
    name, shape = tensor.name, tuple(tensor.shape)
    datatype = DATATYPES.get(tensor.datatype)
    if datatype is None:
        raise BadResponse(f"tensor '{name}' has unknown datatype '{tensor.datatype}'")
    if any(dimension < 0 for dimension in shape):
        raise BadResponse(f"tensor '{name}' has a negative dimension: {list(shape)}")
    count = math.prod(shape)  # Python integers: nothing a server sends can overflow them
    flat = _from_typed(tensor, datatype, count) if raw is None else _from_raw(name, datatype, count, raw)
    try:
        return flat.reshape(shape)
    except ValueError as error:  # more dimensions than numpy knows, or zero-sized and yet too large
        raise BadResponse(f"tensor '{name}' of shape {list(shape)} cannot be held: {error}") from error


def _from_raw(name: str, datatype: Datatype, count: int, raw: bytes | memoryview) -> np.ndarray:
    if datatype.name == "BYTES":
        return _strings(name, count, raw)
    dtype = numpy_dtype(datatype.name)
    if len(raw) != count * dtype.itemsize:
        expected = f"{count} x {datatype.name} = {count * dtype.itemsize} bytes"
        raise BadResponse(f"tensor '{name}': expected {expected}, got {len(raw)}")
    if datatype.name == "BOOL":
        return np.asarray(
            np.frombuffer(raw, np.uint8) != 0
        )  # any other byte would make an array that numpy itself misreads
    return np.frombuffer(raw, dtype)


def _strings(name: str, count: int, raw: bytes | memoryview) -> np.ndarray:
    items: list[bytes] = []
    at = 0
    while at < len(raw):
        end = at + 4 + (struct.unpack_from("<I", raw, at)[0] if at + 4 <= len(raw) else 0)
        if end > len(raw) or at + 4 > len(raw):
            raise BadResponse(f"tensor '{name}': BYTES element {len(items)} reaches beyond the {len(raw)} bytes sent")
        items.append(bytes(raw[at + 4 : end]))
        at = end
    return _objects(name, count, items)


def _objects(name: str, count: int, items: list[bytes]) -> np.ndarray:
    if len(items) != count:
        raise BadResponse(f"tensor '{name}': expected {count} BYTES elements, got {len(items)}")
    array = np.empty(count, object)
    array[:] = items
    return array


def _from_typed(tensor: Any, datatype: Datatype, count: int) -> np.ndarray:
    filled = [field for field in _FIELDS if len(getattr(tensor.contents, field))]
    if datatype.field is None and filled:
        raise BadResponse(f"tensor '{tensor.name}': {datatype.name} has no typed contents, got {filled[0]}")
    if any(field != datatype.field for field in filled):
        raise BadResponse(f"tensor '{tensor.name}': {datatype.name} belongs into {datatype.field}, got {filled}")
    values = list(getattr(tensor.contents, datatype.field)) if datatype.field else []
    if datatype.name == "BYTES":
        return _objects(tensor.name, count, values)
    if len(values) != count:
        raise BadResponse(f"tensor '{tensor.name}': expected {count} {datatype.name} values, got {len(values)}")
    try:
        return np.array(values, numpy_dtype(datatype.name))
    except OverflowError as error:
        raise BadResponse(f"tensor '{tensor.name}': a value does not fit into {datatype.name}: {error}") from error
