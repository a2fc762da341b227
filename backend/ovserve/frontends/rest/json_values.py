"""The numbers and strings of a tensor as JSON has them, exactly."""

import math
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import numpy as np
import orjson

from ovserve.errors import InvalidInput, WrongContent
from ovserve.tensors import Array, DType, Shape, Tensor, list_text

_FLOATS = {DType.FP16, DType.FP32, DType.FP64}
_NULL = re.compile(rb"null")
_WORDS = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}
_KINDS: Mapping[type, str] = {str: "a string", list: "a list", dict: "an object"}


def read(data: Any, dtype: DType, shape: Shape, label: str) -> Array:
    """Read values that lie flat, or nested as the shape is; raises `WrongContent`, which begins with `label`."""
    if dtype is DType.BF16:
        raise WrongContent(f"{label}: datatype BF16 has no values in JSON, send it as binary data")
    if not isinstance(data, list):
        raise WrongContent(f"{label}: 'data' is {kind_of(data)}, expected a list")
    values, nesting = _flat(data, label)
    count = math.prod(shape)
    if len(values) != count:
        raise WrongContent(f"{label} of shape {list_text(shape)} expects {count} values in 'data', got {len(values)}")
    sides = [length for length in nesting if length != 1]
    if values and len(sides) > 1 and sides != [length for length in shape if length != 1]:
        raise WrongContent(f"{label} has shape {list_text(shape)}, but 'data' is nested as {list_text(nesting)}")
    return _array(values, dtype, label).reshape(shape)


def _flat(data: list[Any], label: str) -> tuple[list[Any], list[int]]:
    """Take nested lists apart, level by level; also return the length of each level."""
    nesting = [len(data)]
    while list in (kinds := set(map(type, data))):
        lengths = set(map(len, data)) if kinds == {list} else set()
        if len(lengths) != 1:
            raise WrongContent(f"{label}: 'data' is nested unevenly at depth {len(nesting)}")
        nesting += lengths
        data = list(chain.from_iterable(data))
    return data, nesting


def _array(values: list[Any], dtype: DType, label: str) -> Array:
    if dtype is DType.BYTES:
        return _strings(values, label)
    expected = {bool} if dtype is DType.BOOL else {int, float} if dtype in _FLOATS else {int}
    if not expected.issuperset(map(type, values)):
        wrong = next(value for value in values if type(value) not in expected)
        raise WrongContent(f"{label} has datatype {dtype.kserve}, but 'data' holds {kind_of(wrong)}")
    if dtype in _FLOATS:
        return _floats(values, dtype, label)
    if dtype is not DType.BOOL and values:
        limits = np.iinfo(dtype.numpy)
        for value in (min(values), max(values)):
            if not limits.min <= value <= limits.max:
                raise WrongContent(
                    f"{label} has datatype {dtype.kserve}, expected values {limits.min} to {limits.max}, got {value}"
                )
    return np.array(values, dtype.numpy)


def _floats(values: list[Any], dtype: DType, label: str) -> Array:
    try:
        wide = np.array(values, np.float64)
    except OverflowError:
        raise WrongContent(f"{label}: 'data' holds an integer that no floating-point number comes near") from None
    with np.errstate(over="ignore"):
        array = wide.astype(dtype.numpy, copy=False)
    lost = np.isinf(array) & ~np.isinf(wide)
    if lost.any():
        raise WrongContent(f"{label} has datatype {dtype.kserve}, which cannot hold {wide[lost][0]:g}")
    return array


def _strings(values: list[Any], label: str) -> Array:
    elements = np.empty(len(values), np.object_)
    try:
        elements[:] = [value.encode() for value in values]
    except AttributeError:
        wrong = next(value for value in values if not isinstance(value, str))
        raise WrongContent(f"{label} has datatype BYTES, but 'data' holds {kind_of(wrong)}") from None
    except UnicodeEncodeError:
        raise WrongContent(f"{label}: 'data' holds a string that is not Unicode") from None
    return elements


def kind_of(value: Any) -> str:
    """Say in JSON's words what a value is."""
    if isinstance(value, bool):
        return f"the literal {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value!s:.40}"
    return _KINDS.get(type(value), "null")


def write(tensor: Tensor, label: str) -> orjson.Fragment:
    """Write values flat, so that reading them again gives the same bits; raises `InvalidInput`, where JSON has none.

    Numbers that are none are `NaN`, `Infinity` and `-Infinity`, which Triton's clients and Python's json read.
    """
    if tensor.dtype is DType.BF16:
        raise InvalidInput(f"{label} has datatype BF16, which has no values in JSON: ask for it with binary_data")
    flat = tensor.data.ravel()
    if tensor.dtype is DType.BYTES:
        return orjson.Fragment(orjson.dumps(_texts(flat, label)))
    text = orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)
    if tensor.dtype in _FLOATS and not (finite := np.isfinite(flat)).all():
        words = iter([_WORDS[str(number)] for number in flat[~finite].tolist()])
        text = _NULL.sub(lambda _: next(words), text)
    return orjson.Fragment(text)


def _texts(elements: Iterable[bytes], label: str) -> list[str]:
    try:
        return [element.decode() for element in elements]
    except UnicodeDecodeError:
        raise InvalidInput(f"{label} holds bytes that are not UTF-8: ask for it with binary_data") from None
