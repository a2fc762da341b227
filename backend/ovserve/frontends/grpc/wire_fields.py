"""Fields of a message, read from its bytes: lengths, and numbers of up to 31 bits.

Source: protobuf's encoding (https://protobuf.dev/programming-guides/encoding).
"""

from typing import TypeAlias

from ovserve.tensors import Shape

_MOST = 1 << 31  # neither a length nor a dimension has as many

Data: TypeAlias = bytes | memoryview


class Uncommon(Exception):
    """The message class has to read it, or to refuse it."""


def numbers(part: bytes, at: int, end: int) -> Shape:
    found = []
    while at < end:
        number, at = varint(part, at)
        found.append(number)
    if at != end:
        raise Uncommon
    return tuple(found)


def span(data: Data, at: int, end: int) -> tuple[int, int]:
    """Read a length, and tell where what it measures begins and ends."""
    length = data[at]
    at += 1
    if length > 0x7F:  # noqa: PLR2004 - more bytes follow
        length, at = varint(data, at - 1)
    if at + length > end:
        raise Uncommon
    return at, at + length


def varint(data: Data, at: int) -> tuple[int, int]:
    """Read a number of up to 31 bits, and tell where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte <= 0x7F:  # noqa: PLR2004 - the last one
            break
        shift += 7
        if shift > 28:  # noqa: PLR2004 - five bytes
            raise Uncommon
    if number >= _MOST:
        raise Uncommon
    return number, at
