"""Arrays to KServe tensors: raw contents, exact bytes, no casts."""

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from tritonclient.grpc import service_pb2

from ovclient._datatypes import DATATYPES, datatype_of
from ovclient._errors import InvalidRequest

Parameter = bool | int | float | str
_INT64 = range(-(2**63), 2**63)


def as_array(name: str, value: ArrayLike) -> np.ndarray:
    """`value` as an array; strings and bytes become objects, since numpy's own would lose trailing NULs."""
    if isinstance(value, np.ndarray):
        return value
    try:
        array = np.asarray(value)
        return np.asarray(value, dtype=object) if array.dtype.kind in "SU" else array
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"input '{name}': no array can be made of it: {error}") from error


def encode(name: str, value: ArrayLike) -> tuple[str, list[int], bytes]:
    """Datatype, shape and raw bytes of one tensor."""
    array = as_array(name, value)
    datatype = datatype_of(array.dtype)
    if datatype is None:
        known = ", ".join(DATATYPES)
        raise InvalidRequest(f"input '{name}': arrays of {array.dtype} cannot be sent; KServe carries {known}")
    if datatype.name == "BYTES":
        raw = b"".join(_element(name, item) for item in array.ravel())
    else:
        little = array if array.dtype.str[0] != ">" else array.astype(array.dtype.newbyteorder("<"))
        raw = little.tobytes()
    return datatype.name, list(array.shape), raw


def _element(name: str, item: object) -> bytes:
    if isinstance(item, str):
        try:
            item = item.encode()
        except UnicodeEncodeError as error:
            raise InvalidRequest(f"input '{name}': a text is no valid Unicode: {error}") from error
    if not isinstance(item, bytes):
        raise InvalidRequest(f"input '{name}': BYTES elements are bytes or str, got {type(item).__name__}")
    return struct.pack("<I", len(item)) + item


def set_parameters(target: Mapping[str, service_pb2.InferParameter], parameters: Mapping[str, Parameter]) -> None:
    """Write `parameters` into a protobuf map; the Python type decides the field."""
    for key, value in parameters.items():
        if isinstance(value, bool):
            target[key].bool_param = value
        elif isinstance(value, int):
            if value not in _INT64:
                raise InvalidRequest(f"parameter '{key}': {value} does not fit into 64 bits")
            target[key].int64_param = value
        elif isinstance(value, float):
            target[key].double_param = value
        elif isinstance(value, str):
            target[key].string_param = value
        else:
            raise InvalidRequest(f"parameter '{key}' must be bool, int, float or str, got {type(value).__name__}")
