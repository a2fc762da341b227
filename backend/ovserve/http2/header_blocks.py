"""Header blocks (HPACK, RFC 7541): those of requests read, those of answers written.

What we write refers to no table, so that answers need not be written in the order in which they were made.
"""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

import hpack
from hpack import HPACKError

from ovserve.http2 import head
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.head import Head

_MOST_LIST_BYTES = 1 << 18  # unpacked; a connection whose block is larger ends
_REMEMBERED = 64

_STATIC = 0x80  # the first bit of a field that is in a table, name and value
_STATUS_200 = b"\x88"
NO_TABLE = b"\x20"  # begins a block: from here on the table has room for nothing
_LONG = 0x7F
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class RequestHeads:
    """The requests' heads of one connection, in the order in which they come.

    Clients send the same fields again and again, and then each is but its number in the table: a block of nothing else
    means the same as long as the table does not change.
    """

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(_MOST_LIST_BYTES)
        self._remembered: dict[bytes, Head] = {}

    def read(self, block: bytes) -> Head:
        """Read a block; raises a `ConnectionFault` where the table is lost, and a `StreamFault`."""
        known = self._remembered.get(block)
        if known is not None:
            return known
        fields = self._decoded(block)
        found_in_table = min(block, default=0) >= _STATIC
        if not found_in_table or len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        read = head.read(fields)
        if found_in_table:
            self._remembered[block] = read
        return read

    def read_trailers(self, block: bytes) -> None:
        """Read a block that says nothing we want to know; raises a `ConnectionFault`, and a `StreamFault`."""
        fields = self._decoded(block)
        self._remembered.clear()
        head.check_trailers(fields)

    def _decoded(self, block: bytes) -> Iterable[tuple[bytes, bytes]]:
        try:
            return self._decoder.decode(block, raw=True)
        except (HPACKError, ValueError, IndexError) as error:
            raise ConnectionFault(Fault.COMPRESSION_ERROR, f"a header block cannot be read ({error})") from None


def block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Write fields, names in lower case and all in ASCII."""
    return b"".join(_text(name, b"\x00") + _text(value) for name, value in fields)


def _text(text: str, before: bytes = b"") -> bytes:
    data = text.encode("ascii")
    length = len(data)
    if length < _LONG:
        return before + bytes((length,)) + data
    rest, more = length - _LONG, [_LONG]
    while rest >= 0x80:  # noqa: PLR2004 - seven bits in each byte
        more.append(rest & 0x7F | 0x80)
        rest >>= 7
    return before + bytes((*more, rest)) + data


ANSWER = _STATUS_200 + block([("content-type", "application/grpc"), ("grpc-accept-encoding", "identity,deflate,gzip")])
WELL = block([("grpc-status", "0")])


@lru_cache(256)
def trailers(status: int, details: str) -> bytes:
    """Write how a call ended, after its answers or instead of them."""
    fields = [("grpc-status", str(status))]
    if details:
        fields.append(("grpc-message", quote(details, safe=_PRINTABLE)))
    return block(fields)


def http_refusal(status: int) -> bytes:
    """Write the answer to what is no gRPC call."""
    return block([(":status", str(status)), ("content-length", "0")])
