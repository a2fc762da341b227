"""TensorProto <-> Tensor.

Wire checks only, as for KServe: a known datatype, a shape of bounded size, as many values as the shape says. Source:
tensorflow/core/framework/tensor.proto, and TensorFlow's own reading of it where a message has fewer values than its
shape: the last one stands for the rest.
"""

import math
from typing import Any

import numpy as np

from ovserve import tensor_bytes
from ovserve.errors import WrongContent, WrongDatatype, WrongShape
from ovserve.frontends.limits import check_shape
from ovserve.frontends.tfs.messages import DATA_TYPE, TensorProto
from ovserve.tensors import BY_TENSORFLOW, Array, DType, Shape, Tensor, list_text

# Which field carries which datatype, when it is not tensor_content. FP16 and BF16 travel as 16-bit patterns.
FIELD = {
    DType.BOOL: "bool_val",
    DType.INT8: "int_val",
    DType.INT16: "int_val",
    DType.INT32: "int_val",
    DType.INT64: "int64_val",
    DType.UINT8: "int_val",
    DType.UINT16: "int_val",
    DType.UINT32: "uint32_val",
    DType.UINT64: "uint64_val",
    DType.FP16: "half_val",
    DType.BF16: "half_val",
    DType.FP32: "float_val",
    DType.FP64: "double_val",
    DType.BYTES: "string_val",
}
_VALUES = [field.name for field in TensorProto.DESCRIPTOR.fields if field.name.endswith("_val")]
_BY_NUMBER = {DATA_TYPE.values_by_name[name].number: dtype for name, dtype in BY_TENSORFLOW.items()}
_NUMBER = {dtype: number for number, dtype in _BY_NUMBER.items()}

_PATTERN = np.dtype(np.uint16)
# Stored in a row as they are in memory. Through Python's floats a signalling NaN would become a quiet one.
_AS_THEY_ARE = {DType.BOOL, DType.FP32, DType.FP64}

# A tensor in which a value stands for others costs less to send than to hold.
_MOST_BYTES_REPEATED = 1 << 26


def number_of(dtype: DType | None) -> int:
    """Return the number of the DT_ that stands for a datatype; that of DT_INVALID for any."""
    return 0 if dtype is None else _NUMBER[dtype]


def decode(message: Any, label: str) -> Tensor:
    """Read a TensorProto; raises an `InvalidInput` that begins with `label`. Numbers become views on its bytes."""
    dtype = _BY_NUMBER.get(message.dtype)
    if dtype is None:
        name = DATA_TYPE.values_by_number.get(message.dtype)
        shown = message.dtype if name is None else name.name
        raise WrongDatatype(f"{label} has datatype {shown}, expected one of {', '.join(BY_TENSORFLOW)}")
    shape = _shape(message.tensor_shape, dtype, label)
    field = FIELD[dtype]
    content = message.tensor_content  # each look at it copies the bytes
    for other in _VALUES:
        if (other != field or content) and len(getattr(message, other)):
            expected = "tensor_content only" if content else field
            raise WrongContent(f"{label} has datatype {dtype.tensorflow}, expected {expected}, got {other}")
    if not content:
        return Tensor(dtype, _listed(message, field, dtype, shape, label).reshape(shape))
    if dtype is DType.BYTES:
        raise WrongContent(f"{label} has strings in tensor_content, expected them in string_val")
    return Tensor(dtype, tensor_bytes.read(content, dtype, shape, label))


def _shape(message: Any, dtype: DType, label: str) -> Shape:
    if message.unknown_rank:
        raise WrongShape(f"{label} has a shape of unknown rank, expected every dimension to be given")
    shape = tuple(dim.size for dim in message.dim)
    check_shape(shape, dtype, label)
    return shape


def _listed(message: Any, field: str, dtype: DType, shape: Shape, label: str) -> Array:
    """Read the values that stand one by one, the last one as often as the shape says."""
    values, count = getattr(message, field), math.prod(shape)
    if len(values) > count or (count and not values):
        missing = " (it has no data at all)" if not values else ""
        raise WrongContent(
            f"{label} of shape {list_text(shape)} expects {count} values in tensor_content or {field}, "
            f"got {len(values)}{missing}"
        )
    if len(values) < count and count * dtype.numpy.itemsize > _MOST_BYTES_REPEATED:
        raise WrongShape(
            f"{label} of shape {list_text(shape)} repeats its last value: expected at most {_MOST_BYTES_REPEATED} bytes"
        )
    array = _values(message, field, dtype, label)
    return array if len(values) == count else np.concatenate([array, np.repeat(array[-1:], count - len(values))])


def _values(message: Any, field: str, dtype: DType, label: str) -> Array:
    values = getattr(message, field)
    if dtype is DType.BYTES:
        strings = np.empty(len(values), np.object_)
        strings[:] = values
        return strings
    if dtype in _AS_THEY_ARE:
        return _packed(message, field, dtype)
    if field not in {"int_val", "half_val"}:
        return np.fromiter(values, dtype.numpy, len(values))
    wide = np.fromiter(values, np.int32, len(values))
    stored = _PATTERN if field == "half_val" else dtype.numpy
    limits = np.iinfo(stored)
    if wide.size and (wide.min() < limits.min or wide.max() > limits.max):
        raise WrongContent(
            f"{label} has datatype {dtype.tensorflow}, expected values {limits.min} to {limits.max} in {field}"
        )
    return wide.astype(stored, copy=False).view(dtype.numpy)


def _packed(message: Any, field: str, dtype: DType) -> Array:
    """Read a field from its wire form: a tag, the length as a varint, the values."""
    alone = TensorProto()
    alone.CopyFrom(message)
    alone.DiscardUnknownFields()
    for other, _ in alone.ListFields():
        if other.name != field:
            alone.ClearField(other.name)
    count = len(getattr(message, field))
    tag_and_length_bytes = 1 + max(1, -(-(count * dtype.numpy.itemsize).bit_length() // 7))
    return np.frombuffer(alone.SerializeToString(), dtype.numpy, count, tag_and_length_bytes if count else 0)


def encode(tensor: Tensor, message: Any) -> None:
    """Write into a TensorProto: numbers as tensor_content, strings as string_val."""
    message.dtype = _NUMBER[tensor.dtype]
    message.tensor_shape.SetInParent()
    for length in tensor.shape:
        message.tensor_shape.dim.add(size=length)
    if tensor.dtype is DType.BYTES:
        message.string_val.extend(tensor.data.ravel().tolist())
    else:
        message.tensor_content = tensor_bytes.write(tensor)
