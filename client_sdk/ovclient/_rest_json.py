"""A tensor's values in JSON -> the bytes that binary data would have. Pure."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ovclient._datatypes import DATATYPES, numpy_dtype
from ovclient._encode import encode
from ovclient._errors import BadResponse, InvalidRequest

_FLOATS = {"FP16", "FP32", "FP64", "BF16"}


def raw(name: str, datatype: str, data: Any) -> bytes:
    """The values, flat or nested; raises `BadResponse` where they are none of `datatype`."""
    if datatype not in DATATYPES:
        return b""  # who reads the tensor says so
    if not isinstance(data, list):
        raise BadResponse(f"output '{name}' came without data")
    try:
        values = list(_flat(data))
        _check(name, datatype, values)
        array = np.empty(len(values), numpy_dtype(datatype))
        with np.errstate(over="ignore"):
            array[:] = values
        return encode(name, array)[2]
    except (OverflowError, RecursionError, InvalidRequest) as error:
        raise BadResponse(f"output '{name}': 'data' holds no {datatype}: {error}") from error


def _flat(data: list[Any]) -> Iterator[Any]:
    for value in data:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _check(name: str, datatype: str, values: list[Any]) -> None:
    expected: set[type] = {int}
    if datatype in _FLOATS:
        expected = {int, float}
    elif datatype in {"BOOL", "BYTES"}:
        expected = {bool} if datatype == "BOOL" else {str}
    wrong = set(map(type, values)) - expected
    if wrong:
        raise BadResponse(f"output '{name}': 'data' of {datatype} holds {min(kind.__name__ for kind in wrong)}")
