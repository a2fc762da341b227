"""Values in JSON <-> tensors, as TensorFlow Serving's REST API writes them.

Numbers and booleans are cast to the model's datatype where they keep their value (floats are rounded); strings and
{"b64": ...} make a tensor of strings, which may be pictures. NaN and Infinity stand for themselves, as in TensorFlow
Serving. Source: https://www.tensorflow.org/tfx/serving/api_rest and OVMS's texts.
"""

import base64
import binascii
from typing import Any

import numpy as np

from ovserve.errors import WrongContent, WrongShape
from ovserve.tensors import Array, DType, Tensor

_B64 = "b64"
_MOST_DIMENSIONS = 32  # numpy 1.26's limit; numpy 2 has 64
_NO_ARRAY = "Could not parse instance content. Not valid ndarray detected"
_FLOATS = {DType.FP16, DType.FP32, DType.FP64, DType.BF16}


def is_binary(value: Any) -> bool:
    """Tell whether an object stands for bytes."""
    return isinstance(value, dict) and value.keys() == {_B64}


def to_tensor(value: Any, dtype: DType | None, label: str) -> Tensor:
    """Make a tensor of nested lists; `dtype` is the model's, None where it takes any.

    Raises `WrongContent` or `WrongShape`, with OVMS's text and what is wrong with the input that `label` names.
    """
    leaf, depth = value, 0
    while isinstance(leaf, list) and leaf:
        leaf, depth = leaf[0], depth + 1
    if depth > _MOST_DIMENSIONS:
        raise WrongShape(f"{_NO_ARRAY} - {label} has {depth} dimensions, expected at most {_MOST_DIMENSIONS}")
    if isinstance(leaf, str | dict) or dtype is DType.BYTES:
        return Tensor(DType.BYTES, _strings(value, label))
    # As objects: with a string among numbers numpy would make room for its length in every element.
    exact = np.array(value, np.object_)
    kinds = set(map(type, exact.flat))
    if list in kinds:
        raise WrongShape(f"{_NO_ARRAY} - {label} has lists of different lengths side by side")
    if kinds - {int, float, bool}:
        raise WrongContent(f"{_NO_ARRAY} - {label} has something else than numbers in its lists")
    if dtype is None:
        dtype = DType.FP32 if float in kinds else DType.BOOL if kinds == {bool} else DType.INT64
    return Tensor(dtype, _floats(exact, dtype, label) if dtype in _FLOATS else _whole(exact, dtype, label))


def _floats(exact: Array, dtype: DType, label: str) -> Array:
    try:
        with np.errstate(over="ignore"):
            if dtype is not DType.BF16:
                return exact.astype(dtype.numpy)
            single = exact.astype(np.float32)
    except OverflowError:
        raise WrongContent(f"{_NO_ARRAY} - {label} has a number that is too large for {dtype.tensorflow}") from None
    bits = single.view(np.uint32)
    rounded = (bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16
    return np.where(np.isnan(single), 0x7FC0, rounded).astype(np.uint16)


def _whole(exact: Array, dtype: DType, label: str) -> Array:
    if any(isinstance(number, float) and not number.is_integer() for number in exact.flat):
        raise WrongContent(f"{_NO_ARRAY} - {label} has datatype {dtype.tensorflow}, expected whole numbers")
    low, high = (0, 1) if dtype is DType.BOOL else (np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max)
    if exact.size and (exact.min() < low or exact.max() > high):
        raise WrongContent(f"{_NO_ARRAY} - {label} has datatype {dtype.tensorflow}, expected values {low} to {high}")
    return exact.astype(dtype.numpy)


def _strings(value: Any, label: str) -> Array:
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        lengths = {len(one) if isinstance(one, list) else None for one in level}
        if len(lengths) > 1:
            raise WrongShape(f"{_NO_ARRAY} - {label} has lists of different lengths side by side")
        shape.append(len(level[0]))
        level = [item for one in level for item in one]
    strings = np.empty(len(level), np.object_)
    strings[:] = [_bytes(item, label) for item in level]
    return strings.reshape(shape)


def _bytes(value: Any, label: str) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    if not is_binary(value) or not isinstance(value[_B64], str):
        raise WrongContent(f'{_NO_ARRAY} - {label} expects strings, or {{"{_B64}": "..."}} for bytes')
    try:
        return base64.b64decode(value[_B64], validate=True)
    except (binascii.Error, ValueError):
        raise WrongContent(f"Decode Base64 to string error - {label}") from None


def to_values(name: str, tensor: Tensor) -> Any:
    """Make nested lists.

    Strings stand as such, or as {"b64": ...} where one of them is no text or the output's name ends in _bytes.
    """
    if tensor.dtype is DType.BF16:
        return (tensor.data.astype(np.uint32) << 16).view(np.float32).tolist()
    if tensor.dtype is not DType.BYTES:
        return tensor.data.tolist()
    written = np.empty(tensor.data.size, np.object_)
    elements = tensor.data.ravel().tolist()
    try:
        if name.endswith("_bytes"):
            raise UnicodeError  # noqa: TRY301 - the other way of writing is below
        written[:] = [element.decode() for element in elements]
    except UnicodeError:
        written[:] = [{_B64: base64.b64encode(element).decode()} for element in elements]
    return written.reshape(tensor.shape).tolist()
