"""Header blocks (HPACK, RFC 7541): those of requests read, those of answers written.

What we write refers to no table, so that answers need not be written in the order in which they were made.
"""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

from hpack import HPACKError

from ovserve.http2 import head
from ovserve.http2.field_reader import Field, FieldReader
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.head import Head
from ovserve.http2.remembered_heads import RememberedHeads

_MOST_LIST_BYTES = 1 << 18  # unpacked; a connection whose block is larger ends

_STATUS_200 = b"\x88"
NO_TABLE = b"\x20"  # begins a block: from here on the table has room for nothing
_LONG = 0x7F
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class RequestHeads:
    """The requests' heads of one connection, in the order in which they come.

    Clients send the same again and again. Equal blocks mean the same as long as the table does not change, and equal
    fields always, of which the time until the deadline, that differs each time, is looked at by itself.
    """

    def __init__(self) -> None:
        self._fields = FieldReader(_MOST_LIST_BYTES)
        self._of_blocks: RememberedHeads[bytes] = RememberedHeads()
        self._of_fields: RememberedHeads[tuple[object, ...]] = RememberedHeads()

    def read(self, block: bytes) -> Head:
        """Read a block; raises a `ConnectionFault` where the table is lost, and a `StreamFault`."""
        known = self._of_blocks.get(block)
        if known is not None:
            return known
        read = self._made_out(self._read(block))
        if not self._fields.changed:
            self._of_blocks.keep(block, read, len(block))
        return read

    def _made_out(self, fields: list[Field]) -> Head:
        key, timeout = _parted(fields)
        known = self._of_fields.get(key)
        if known is None:
            read = head.read(fields)
            self._of_fields.keep(key, read, read.size)
            return read
        return known if timeout is None else known.within(timeout)

    def read_trailers(self, block: bytes) -> None:
        """Read a block that says nothing we want to know; raises a `ConnectionFault`, and a `StreamFault`."""
        head.check_trailers(self._read(block))

    def _read(self, block: bytes) -> list[Field]:
        try:
            fields = self._fields.read(block)
        except (HPACKError, ValueError, IndexError) as error:
            raise ConnectionFault(Fault.COMPRESSION_ERROR, f"a header block cannot be read ({error})") from None
        if self._fields.changed:
            self._of_blocks.clear()
        return fields


def _parted(fields: list[Field]) -> tuple[tuple[object, ...], bytes | None]:
    """Return what heads are remembered by, and the time that counts: the last one, without which they are the same."""
    timeout: bytes | None = None
    at = 0
    for index, field in enumerate(fields):
        if field[0] == head.TIMEOUT:
            timeout, at = field[1], index
    if timeout is None:
        return tuple(fields), None
    return (at, len(timeout), *fields[:at], *fields[at + 1 :]), timeout


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
