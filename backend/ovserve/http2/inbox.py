"""DATA -> messages: each is a flag, four bytes of length, and so many bytes (gRPC over HTTP/2)."""

import zlib
from typing import TypeAlias

import grpc
import numpy as np

from ovserve.http2.status import Refused

Message: TypeAlias = bytes | memoryview

PREFIX_BYTES = 5
_LARGE_BYTES = 1 << 16
# A message ends at a multiple of this, and so mostly does the tensor that ends it: it need not be copied to be read.
_ALIGNED_BYTES = 64

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
ENCODINGS = frozenset({"identity", *_WINDOW_BITS})


class Inbox:
    """The messages of one call, put together from pieces of any size."""

    __slots__ = ("_buffer", "_compressed", "_encoding", "_filled", "_most", "_prefix", "size")

    def __init__(self, most_bytes: int, encoding: str) -> None:
        self._most = most_bytes
        self._encoding = encoding
        self._prefix = b""
        self._buffer: memoryview | None = None
        self.size = 0  # of the message that has begun
        self._filled = 0
        self._compressed = False

    @property
    def missing(self) -> int:
        """Count the bytes that the message which has begun still needs."""
        return 0 if self._buffer is None else self.size - self._filled

    @property
    def is_empty(self) -> bool:
        return self._buffer is None and not self._prefix

    def room(self) -> memoryview | None:
        """Show where the next bytes of a large message go, for whoever can receive them there."""
        if self._buffer is None or self.size < _LARGE_BYTES:
            return None
        return self._buffer[self._filled :]

    def fill(self, count: int) -> Message | None:
        """Know that so many bytes have been put into `room`; return the message if that was all."""
        self._filled += count
        return self._complete() if self._filled == self.size else None

    def take(self, data: bytes, at: int, end: int) -> list[Message]:
        """Take in `data[at:end]`, and return the messages that are complete; raises `Refused`."""
        messages: list[Message] = []
        while at < end:
            if self._buffer is None:
                if not self._prefix and end - at >= PREFIX_BYTES:
                    self._begin(data, at)
                    at += PREFIX_BYTES
                    if self.size == end - at and not self._compressed:  # the common case: a message, whole
                        messages.append(data[at:end])
                        return messages
                else:
                    piece = data[at : min(end, at + PREFIX_BYTES - len(self._prefix))]
                    at += len(piece)
                    self._prefix += piece
                    if len(self._prefix) < PREFIX_BYTES:
                        break
                    self._begin(self._prefix, 0)
                    self._prefix = b""
                self._buffer = _room_for(self.size)
                self._filled = 0
            count = min(end - at, self.size - self._filled)
            self._buffer[self._filled : self._filled + count] = data[at : at + count]
            at += count
            whole = self.fill(count)
            if whole is not None:
                messages.append(whole)
        return messages

    def _begin(self, prefix: bytes, at: int) -> None:
        flag = prefix[at]
        self.size = int.from_bytes(prefix[at + 1 : at + PREFIX_BYTES])
        if flag > 1:
            raise Refused(grpc.StatusCode.INTERNAL, f"a message's flag is {flag}, expected 0 or 1")
        self._compressed = flag == 1
        if self._compressed and self._encoding == "identity":
            raise Refused(grpc.StatusCode.INTERNAL, "a message is compressed, but no grpc-encoding says how")
        if self.size > self._most:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the message has {self.size} bytes, expected at most {self._most}",
            )

    def _complete(self) -> Message:
        whole, self._buffer = self._buffer or memoryview(b""), None
        if self._compressed:
            return _unpacked(whole, self._encoding, self._most)
        return whole if self.size >= _LARGE_BYTES else bytes(whole)


def _room_for(size: int) -> memoryview:
    if size < _LARGE_BYTES:
        return memoryview(bytearray(size))
    try:
        room = np.empty(size + _ALIGNED_BYTES, np.uint8)  # of the system only what the client really sends
    except MemoryError:
        raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, f"there is no memory for a message of {size} bytes") from None
    begin = -(room.ctypes.data + size) % _ALIGNED_BYTES
    return room.data[begin : begin + size]


def _unpacked(data: memoryview, encoding: str, most: int) -> bytes:
    machine = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        unpacked = machine.decompress(data, most + 1)
    except zlib.error:
        raise Refused(grpc.StatusCode.INTERNAL, f"a message is no {encoding}") from None
    if len(unpacked) > most:
        raise Refused(
            grpc.StatusCode.RESOURCE_EXHAUSTED, f"the message unpacks to more than {most} bytes, the most expected"
        )
    if not machine.eof:
        raise Refused(grpc.StatusCode.INTERNAL, f"a message is no whole {encoding}")
    return unpacked
