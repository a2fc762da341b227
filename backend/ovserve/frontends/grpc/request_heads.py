"""What a request says of an input or an output, without its contents, read from its bytes.

Source: protobuf's encoding (https://protobuf.dev/programming-guides/encoding) and KServe v2's field numbers.
"""

from functools import lru_cache
from math import prod

from ovserve.frontends.grpc.wire_fields import Uncommon, numbers, span
from ovserve.frontends.limits import check_shape
from ovserve.tensors import BY_KSERVE, DType, Shape

# Tags of one byte each: a field's number, and 2 for that a length and so many bytes follow.
_NAME, _DATATYPE, _SHAPE = 0x0A, 0x12, 0x1A

_REMEMBERED_BYTES = 512  # an input without its contents is shorter, of all but strange models

Head = tuple[str, DType, Shape, int]


def read_input(part: bytes) -> Head:
    """Read an input that has a name, a datatype and a shape, and how many elements that makes."""
    return _remembered(part) if len(part) <= _REMEMBERED_BYTES else _read_input(part)


def _read_input(part: bytes) -> Head:
    name = datatype = ""
    shape: Shape = ()
    at, end = 0, len(part)
    while at < end:
        tag = part[at]
        begin, at = span(part, at + 1, end)
        if tag == _NAME:
            name = part[begin:at].decode()
        elif tag == _DATATYPE:
            datatype = part[begin:at].decode()
        elif tag == _SHAPE and not shape:
            shape = numbers(part, begin, at)
        else:
            raise Uncommon
    dtype = BY_KSERVE.get(datatype)
    if dtype is None:
        raise Uncommon
    check_shape(shape, dtype, "")
    return name, dtype, shape, prod(shape)


_remembered = lru_cache(1024)(_read_input)  # clients send the same ones again and again


def read_output(part: bytes) -> str:
    """Read an output that has a name."""
    name = ""
    at, end = 0, len(part)
    while at < end:
        if part[at] != _NAME:
            raise Uncommon
        begin, at = span(part, at + 1, end)
        name = part[begin:at].decode()
    return name
