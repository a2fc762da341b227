"""Bytes -> frames, however they are cut into pieces (RFC 9113, sections 3.4, 4 and 6.10)."""

from collections.abc import Callable
from typing import Protocol

from ovserve.http2 import frames
from ovserve.http2.call import Call
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.patience import Patience

_MOST_BLOCK_BYTES = 1 << 16
_EXACT_BYTES = {frames.PRIORITY: 5, frames.RST_STREAM: 4, frames.PING: 8, frames.WINDOW_UPDATE: 4}
_LEAST_GOAWAY_BYTES = 8
_KNOWN = frozenset(range(frames.CONTINUATION + 1))


class HeaderBlocks(Protocol):
    """Takes header blocks, each whole; may raise a `ConnectionFault`."""

    def header_block(self, stream: int, block: bytes, *, ends: bool) -> None: ...


class Data(Protocol):
    """Takes DATA; may raise a `ConnectionFault`."""

    def data_begins(self, stream: int, length: int) -> Call | None:
        """Say whose the DATA is that follows; None where nobody wants it."""
        ...

    def data(self, call: Call, data: bytes, at: int, end: int) -> None: ...

    def data_in_place(self, call: Call, count: int) -> None:
        """Know that so many bytes have been received where the call has room for them."""
        ...

    def data_ends(self, call: Call, *, ends: bool) -> None: ...


class Others(Protocol):
    """Takes every other frame of a known kind; may raise a `ConnectionFault`."""

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None: ...


class FrameReader:
    """Reads one connection. DATA is passed on as it comes, every other frame whole.

    `greet` is called once the client speaks HTTP/2.
    """

    def __init__(
        self, greet: Callable[[], None], blocks: HeaderBlocks, data: Data, others: Others, patience: Patience
    ) -> None:
        self._greet = greet
        self._blocks = blocks
        self._data = data
        self._others = others
        self._patience = patience
        self._rest = b""
        self._is_greeted = False
        self.has_settings = False
        self._block: tuple[int, bool, bytearray] | None = None  # a header block that goes on: stream, ends, and so far
        # The frame whose payload is being passed on: whose it is, what is missing of it and of its padding.
        self._call: Call | None = None
        self._ends = False
        self._left = 0
        self._padding_left = 0

    def room(self) -> tuple[Call, memoryview] | None:
        """Show where what comes next can be received directly, as it is all part of one large message."""
        call = self._call
        if call is None or not self._left or call.over:
            return None
        room = call.inbox.room()
        return None if room is None else (call, room[: self._left])

    @property
    def missing(self) -> int:
        """Count the bytes that the message which is being received still needs."""
        return 0 if self._call is None else self._call.inbox.missing

    def received(self, call: Call, count: int) -> None:
        """Know that so many bytes have been received there."""
        self._left -= count
        self._data.data_in_place(call, count)
        self._end_if_done()

    def feed(self, data: bytes) -> None:
        """Read what was received; raises a `ConnectionFault`."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, end = 0, len(data)
        if not self._is_greeted:
            at = self._greeted(data)
            if not at:
                self._rest = data
                return
        while at < end:
            if self._left or self._padding_left:
                at = self._payload(data, at, end)
                continue
            after = self._next(data, at, end)
            if after == at:
                self._rest = data[at:]
                return
            at = after

    def _next(self, data: bytes, at: int, end: int) -> int:
        """Begin the next frame or take it whole, and say where that ends; where it began, if more of it has to come."""
        begin = at + frames.HEAD_BYTES
        if begin > end:
            return at
        high, low, kind, flags, stream = frames.read_head(data, at)
        length = high << 16 | low
        stream &= frames.MOST_STREAM
        self._check_turn(kind, flags, stream)
        if kind == frames.DATA:
            is_padded = bool(flags & frames.PADDED)
            if is_padded and begin == end:
                return at
            self._begin_data(stream, flags, length, data[begin] + 1 if is_padded else 0)
            return begin + is_padded
        if kind in _KNOWN:
            _check_length(kind, flags, length)
            after: int = begin + length
            if after > end:
                return at
            self._frame(kind, flags, stream, data[begin:after])
            return after
        self._patience.spend()
        self._padding_left = length
        return begin

    def _greeted(self, data: bytes) -> int:
        """Say where the first frame begins; 0 where the greeting is not whole yet."""
        size = len(frames.PREFACE)
        if not frames.PREFACE.startswith(data[:size]):
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "this is not HTTP/2")
        if len(data) < size:
            return 0
        self._is_greeted = True
        self._greet()
        return size

    def _check_turn(self, kind: int, flags: int, stream: int) -> None:
        if not self.has_settings:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise ConnectionFault(Fault.PROTOCOL_ERROR, "SETTINGS come first")
            self.has_settings = True
        if self._block is not None and (kind != frames.CONTINUATION or stream != self._block[0]):
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "a header block was interrupted")

    def _begin_data(self, stream: int, flags: int, length: int, padding: int) -> None:
        """Begin a frame of DATA; `padding` counts with the byte that tells it."""
        if padding > length:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "more padding than payload")
        self._ends = bool(flags & frames.END_STREAM)
        self._left = length - padding
        self._padding_left = max(0, padding - 1)
        if not self._left and not self._ends:
            self._patience.spend()
        self._call = self._data.data_begins(stream, length)
        self._end_if_done()

    def _payload(self, data: bytes, at: int, end: int) -> int:
        """Pass on what is there of a frame, and say where it ended."""
        count = min(self._left, end - at)
        if count:
            self._left -= count
            call = self._call
            if call is not None and not call.over:
                self._data.data(call, data, at, at + count)
            at += count
        if not self._left:
            count = min(self._padding_left, end - at)
            self._padding_left -= count
            at += count
        self._end_if_done()
        return at

    def _end_if_done(self) -> None:
        if self._left or self._padding_left:
            return
        call, self._call = self._call, None
        if call is not None:
            self._data.data_ends(call, ends=self._ends)

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == frames.HEADERS:
            block = _without_padding(flags, payload)
            if flags & frames.END_HEADERS:
                self._blocks.header_block(stream, block, ends=bool(flags & frames.END_STREAM))
            else:
                self._block = (stream, bool(flags & frames.END_STREAM), bytearray(block))
        elif kind == frames.CONTINUATION:
            self._continue(flags, payload)
        else:
            self._others.frame(kind, flags, stream, payload)

    def _continue(self, flags: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._patience.spend()
        stream, ends, block = self._block
        block += payload
        if len(block) > _MOST_BLOCK_BYTES:
            raise ConnectionFault(Fault.ENHANCE_YOUR_CALM, "a header block without end")
        if flags & frames.END_HEADERS:
            self._block = None
            self._blocks.header_block(stream, bytes(block), ends=ends)


def _without_padding(flags: int, payload: bytes) -> bytes:
    """Take padding and priority off HEADERS."""
    begin, end = 0, len(payload)
    if flags & frames.PADDED:
        begin, end = 1, end - payload[0]
    if flags & frames.PRIORITIZED:
        begin += _EXACT_BYTES[frames.PRIORITY]
    if begin > end:
        raise ConnectionFault(Fault.PROTOCOL_ERROR, "more padding than payload")
    return payload[begin:end]


def _check_length(kind: int, flags: int, length: int) -> None:
    if kind in _EXACT_BYTES:
        fits = length == _EXACT_BYTES[kind]
    elif kind == frames.SETTINGS:
        is_empty_ack = not (flags & frames.ACK and length)
        fits = length % frames.SETTING_BYTES == 0 and length <= frames.LEAST_FRAME_SIZE and is_empty_ack
    elif kind == frames.HEADERS:
        least = bool(flags & frames.PADDED) + _EXACT_BYTES[frames.PRIORITY] * bool(flags & frames.PRIORITIZED)
        fits = least <= length <= _MOST_BLOCK_BYTES
    elif kind == frames.GOAWAY:
        fits = _LEAST_GOAWAY_BYTES <= length <= frames.LEAST_FRAME_SIZE
    else:
        fits = length <= _MOST_BLOCK_BYTES
    if not fits:
        raise ConnectionFault(Fault.FRAME_SIZE_ERROR, "a frame has a length that its kind may not have")
