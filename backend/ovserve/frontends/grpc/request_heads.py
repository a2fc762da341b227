"""What a request says of an input or an output, without its contents, read from its bytes.

Source: protobuf's encoding (https://protobuf.dev/programming-guides/encoding) and KServe v2's field numbers.
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

from ovserve.frontends.grpc.shared_memory import BYTE_SIZE, OFFSET, REGION
from ovserve.frontends.grpc.wire_fields import Uncommon, numbers, span, varint
from ovserve.frontends.limits import check_shape
from ovserve.tensors import BY_KSERVE, DType, Shape

# Tags of one byte each: a field's number, and 2 for that a length and so many bytes follow.
_NAME, _DATATYPE, _SHAPE = 0x0A, 0x12, 0x1A
_INPUT_PARAMETER, _OUTPUT_PARAMETER = 0x22, 0x12
_KEY, _VALUE = 0x0A, 0x12
_INT64, _STRING = 0x10, 0x1A  # of a value; the first a number, without a length

_REMEMBERED = 1024
_REMEMBERED_BYTES = 512  # an input without its contents is shorter, of all but strange models

_NUMBERS = {BYTE_SIZE.encode(): BYTE_SIZE, OFFSET.encode(): OFFSET}
_REGION = REGION.encode()


class Ref(NamedTuple):
    """Where in shared memory a tensor lies, as a request says it."""

    region: str
    offset: int
    byte_size: int


class Input(NamedTuple):
    """An input without its contents; `ref` where those are in shared memory."""

    name: str
    dtype: DType
    shape: Shape
    elements: int
    ref: Ref | None


def read_input(part: bytes) -> Input:
    """Read an input that has a name, a datatype, a shape, and a place in shared memory or none."""
    return _known_input(part) if len(part) <= _REMEMBERED_BYTES else _input(part)


def read_output(part: bytes) -> tuple[str, Ref | None]:
    """Read an output that has a name, and a place in shared memory or none."""
    return _known_output(part) if len(part) <= _REMEMBERED_BYTES else _output(part)


def _input(part: bytes) -> Input:
    name = datatype = ""
    shape: Shape = ()
    parameters: dict[str, str | int] = {}
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
        elif tag == _INPUT_PARAMETER:
            _read_parameter(part, begin, at, parameters)
        else:
            raise Uncommon
    dtype = BY_KSERVE.get(datatype)
    if dtype is None:
        raise Uncommon
    check_shape(shape, dtype, "")
    return Input(name, dtype, shape, prod(shape), _ref(parameters))


def _output(part: bytes) -> tuple[str, Ref | None]:
    name = ""
    parameters: dict[str, str | int] = {}
    at, end = 0, len(part)
    while at < end:
        tag = part[at]
        begin, at = span(part, at + 1, end)
        if tag == _NAME:
            name = part[begin:at].decode()
        elif tag == _OUTPUT_PARAMETER:
            _read_parameter(part, begin, at, parameters)
        else:
            raise Uncommon
    return name, _ref(parameters)


# Clients send the same ones again and again.
_known_input = lru_cache(_REMEMBERED)(_input)
_known_output = lru_cache(_REMEMBERED)(_output)


def _read_parameter(part: bytes, at: int, end: int, found: dict[str, str | int]) -> None:
    """Read an entry of a map, the key and then the value, that is one of the three of shared memory."""
    begin, at = _field(part, at, end, _KEY)
    key = part[begin:at]
    at, value_end = _field(part, at, end, _VALUE)
    if value_end != end:
        raise Uncommon
    value: str | int
    if key == _REGION:
        name = REGION
        begin, at = _field(part, at, end, _STRING)
        value = part[begin:at].decode()
    else:
        if key not in _NUMBERS or at == end or part[at] != _INT64:
            raise Uncommon
        name = _NUMBERS[key]
        value, at = varint(part, at + 1)
    if at != end or name in found:
        raise Uncommon
    found[name] = value


def _field(part: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Tell where the content of a field begins and ends that has to come now."""
    if at == end or part[at] != tag:
        raise Uncommon
    return span(part, at + 1, end)


def _ref(parameters: dict[str, str | int]) -> Ref | None:
    if not parameters:
        return None
    region, offset, byte_size = parameters.get(REGION), parameters.get(OFFSET, 0), parameters.get(BYTE_SIZE, 0)
    if not isinstance(region, str) or isinstance(offset, str) or isinstance(byte_size, str):
        raise Uncommon
    return Ref(region, offset, byte_size)
