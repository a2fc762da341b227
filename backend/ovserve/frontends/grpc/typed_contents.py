"""Typed contents (InferTensorContents) as arrays; which field carries which datatype is KServe v2's rule."""

from typing import Any

import numpy as np

from ovserve.errors import WrongContent
from ovserve.tensors import Array, DType

FIELD = {
    DType.BOOL: "bool_contents",
    DType.INT8: "int_contents",
    DType.INT16: "int_contents",
    DType.INT32: "int_contents",
    DType.INT64: "int64_contents",
    DType.UINT8: "uint_contents",
    DType.UINT16: "uint_contents",
    DType.UINT32: "uint_contents",
    DType.UINT64: "uint64_contents",
    DType.FP32: "fp32_contents",
    DType.FP64: "fp64_contents",
    DType.BYTES: "bytes_contents",
}

# Stored in a row as they are in memory. Through Python's floats a signalling NaN would become a quiet one.
_AS_THEY_ARE = {DType.BOOL, DType.FP32, DType.FP64}
_WIDER = {"int_contents": np.dtype(np.int32), "uint_contents": np.dtype(np.uint32)}


def read(contents: Any, dtype: DType, count: int, label: str) -> Array:
    """Read exactly `count` values; raises `WrongContent` for another field, another count or a value out of range."""
    field = FIELD.get(dtype)
    if field is None:
        raise WrongContent(f"{label}: datatype {dtype.kserve} has no typed contents, send it in raw_input_contents")
    for other, _ in contents.ListFields():
        if other.name != field:
            raise WrongContent(f"{label} has datatype {dtype.kserve}, expected {field}, got {other.name}")
    values = getattr(contents, field)
    if len(values) != count:
        missing = " (it has no data at all)" if not values else ""
        raise WrongContent(f"{label} expects {count} values in {field}, got {len(values)}{missing}")
    if dtype is DType.BYTES:
        elements = np.empty(count, np.object_)
        elements[:] = values
        return elements
    if dtype in _AS_THEY_ARE:
        return _packed(contents, dtype, count)
    array = np.fromiter(values, _WIDER.get(field, dtype.numpy), count)
    if field in _WIDER and count:
        limits = np.iinfo(dtype.numpy)
        if array.min() < limits.min or array.max() > limits.max:
            raise WrongContent(f"{label} has datatype {dtype.kserve}, expected values {limits.min} to {limits.max}")
    return array.astype(dtype.numpy, copy=False)


def _packed(contents: Any, dtype: DType, count: int) -> Array:
    """Read the one field that is set from its wire form: a tag, the length as a varint, the values."""
    contents.DiscardUnknownFields()
    length = count * dtype.numpy.itemsize
    tag_and_length_bytes = 1 + max(1, -(-length.bit_length() // 7))
    return np.frombuffer(contents.SerializeToString(), dtype.numpy, count, tag_and_length_bytes if count else 0)
