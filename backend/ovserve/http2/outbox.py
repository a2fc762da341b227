"""What goes out on one connection: frames as the socket takes them, answers as the client's windows allow.

An answer that fits the windows leaves in one piece, from the thread that has it. What does not fit waits with its call,
and what the socket does not take waits here: nobody waits for a slow client.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeAlias

from ovserve.http2 import frames, header_blocks
from ovserve.http2.call import Call
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.wire import Buffer, Wire

_MOST_CONTROL_BYTES = 1 << 16  # of answers to a client's PING and SETTINGS that it does not read
_LARGE_STEP = 1 << 20  # of an answer, before another's turn

Callbacks: TypeAlias = list[Callable[[], None]]


class Outbox:
    """Writes in any thread. `forget` is told, under the lock, of a call whose end has been written."""

    def __init__(self, wire: Wire, lock: Lock, forget: Callable[[Call], Callbacks], want: Callable[[], None]) -> None:
        self._wire = wire
        self._lock = lock
        self._forget = forget
        self._want = want  # called when the socket takes no more
        self._out: list[Buffer] = []
        self._collected: list[Buffer] | None = None  # what leaves together, with the last of several answers
        self._control_bytes = 0
        self._waiting: deque[Call] = deque()  # with something to send that their own windows allow
        self.unsent_bytes = 0  # of answers that wait for a window
        self.frames_sent = 0  # of DATA
        self._window = frames.FIRST_WINDOW
        self._frame_size = frames.LEAST_FRAME_SIZE
        self.call_window = frames.FIRST_WINDOW  # that a new call begins with
        self._has_no_table = False
        self._table_update = b""  # what the next header block has to begin with
        self.is_closed = False

    @property
    def is_stuck(self) -> bool:
        """Whether something waits for the socket."""
        return bool(self._out)

    @property
    def has_unsent(self) -> bool:
        """Whether something waits for the socket or for a window."""
        return bool(self._out or self.unsent_bytes)

    # What calls send

    def answer(self, call: Call, pieces: list[Buffer], size: int, last: bytes | None) -> None:
        """Send a message, `size` bytes in pieces of which the first is its prefix; `last` are trailers, if it is."""
        callbacks: Callbacks = []
        with self._lock:
            if call.over:
                return
            head = b"" if call.has_head else self.headers(call.stream, header_blocks.ANSWER)
            call.has_head = True
            call.over = last is not None
            is_free = not call.pending and not self._out
            if is_free and size <= min(self._window, call.window, self._frame_size):
                self._window -= size
                call.window -= size
                self.frames_sent += 1
                pieces[0] = head + frames.head(size, frames.DATA, 0, call.stream) + bytes(pieces[0])
                if last is not None:
                    pieces.append(self._end_frame(call, last))
                    callbacks = self._forget(call)
                self.emit(pieces)
            else:
                if head:
                    self.emit([head])
                call.pending.extend(pieces)
                self.unsent_bytes += size
                call.trailers = last
                self._queue(call)
                self._pump(callbacks)
        tell(callbacks)

    def finish(self, call: Call, last: bytes) -> None:
        """End a call with these trailers, once all has been sent."""
        callbacks: Callbacks = []
        with self._lock:
            if call.over:
                return
            call.over = True
            if call.pending:
                call.trailers = last
            else:
                self.emit([self._end_frame(call, last if call.has_head else header_blocks.ANSWER + last)])
                callbacks = self._forget(call)
        tell(callbacks)

    # What the connection says; under the lock

    def headers(self, stream: int, block: bytes, flags: int = 0) -> bytes:
        """Make the frame of a header block, which is to be sent before the next one is made."""
        if self._table_update:
            block, self._table_update = self._table_update + block, b""
        return frames.frame(frames.HEADERS, frames.END_HEADERS | flags, stream, block)

    def _end_frame(self, call: Call, block: bytes) -> bytes:
        """End a stream, and have the client stop where it still sends."""
        end = self.headers(call.stream, block, frames.END_STREAM)
        return end if call.remote_ended else end + frames.rst_stream(call.stream, Fault.NO_ERROR)

    def emit(self, pieces: Sequence[Buffer]) -> None:
        """Send, or keep for later what the socket does not take."""
        if self.is_closed:
            return
        if self._collected is not None:
            self._collected.extend(pieces)
            return
        if self._out:
            self._out.extend(pieces)
            return
        try:
            self._out = self._wire.send(pieces)
        except OSError:
            self._wire.shut()  # whoever reads finds out
            return
        if self._out:
            self._want()

    def emit_reply(self, data: bytes) -> None:
        """Send what a client has asked for at no cost; raises a `ConnectionFault` where it does not read it."""
        self._control_bytes = self._control_bytes + len(data) if self._out else 0
        if self._control_bytes > _MOST_CONTROL_BYTES:
            raise ConnectionFault(Fault.ENHANCE_YOUR_CALM, "answers are not read")
        self.emit([data])

    def drop(self, call: Call) -> None:
        """Forget what a call has to send."""
        self.unsent_bytes -= sum(map(len, call.pending))
        call.pending.clear()

    def close(self) -> None:
        self.is_closed = True
        self._out.clear()

    # What the client allows; under the lock

    def widen(self, increment: int) -> None:
        """Enlarge the connection's window; raises a `ConnectionFault`."""
        self._window += increment
        if self._window > frames.MOST_WINDOW:
            raise ConnectionFault(Fault.FLOW_CONTROL_ERROR, "a window of more than 2^31-1 bytes")

    def widen_call(self, call: Call, increment: int) -> None:
        """Enlarge a call's window, which may be too much then."""
        call.window += increment
        self._queue(call)

    def set_call_window(self, size: int, calls: Sequence[Call]) -> None:
        """Change the window that calls begin with, and so that of each; raises a `ConnectionFault`."""
        change, self.call_window = size - self.call_window, size
        for call in calls:
            call.window += change
            self._queue(call)
        if size > frames.MOST_WINDOW or any(call.window > frames.MOST_WINDOW for call in calls):
            raise ConnectionFault(Fault.FLOW_CONTROL_ERROR, "a window of more than 2^31-1 bytes")

    def set_table_size(self, size: int) -> None:
        """Say once that we need no table, where the client wants to keep a smaller one than at first."""
        if size < frames.FIRST_TABLE_SIZE and not self._has_no_table:
            self._has_no_table = True
            self._table_update = header_blocks.NO_TABLE

    def set_frame_size(self, size: int) -> None:
        """Raises a `ConnectionFault`."""
        if not frames.LEAST_FRAME_SIZE <= size <= frames.MOST_FRAME_SIZE:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "a frame size that may not be")
        self._frame_size = size

    # What leaves together

    def collect(self) -> None:
        """Keep what is sent from now on, by any thread, for one system call."""
        with self._lock:
            self._collected = []

    def send_collected(self) -> None:
        with self._lock:
            pieces, self._collected = self._collected, None
            if pieces:
                self.emit(pieces)

    # What was kept

    def flush(self) -> None:
        """Send what waits for the socket, and then what waits for its turn."""
        with self._lock:
            if self._out:
                out, self._out = self._out, []
                self.emit(out)
        self.pump()

    def _queue(self, call: Call) -> None:
        """Have a call wait for its turn, if it has something to send and may."""
        if call.pending and call.window > 0 and not call.is_queued:
            call.is_queued = True
            self._waiting.append(call)

    def pump(self) -> None:
        """Send of each call that waits for its turn what may be sent, as long as the socket takes it."""
        if not self._waiting:
            return
        callbacks: Callbacks = []
        with self._lock:
            self._pump(callbacks)
        tell(callbacks)

    def _pump(self, callbacks: Callbacks) -> None:
        while self._waiting and self._window > 0 and not self._out and not self.is_closed:
            call = self._waiting.popleft()
            call.is_queued = False
            if call.ended:
                continue
            pieces = self._allowed(call)
            if call.pending:
                self._queue(call)
            elif call.trailers is not None:
                pieces.append(self._end_frame(call, call.trailers))
                callbacks += self._forget(call)
            elif call.on_room is not None:
                callbacks.append(call.on_room)
            if pieces:
                self.emit(pieces)

    def _allowed(self, call: Call) -> list[Buffer]:
        """Take from what a call has to send as many frames as the windows allow."""
        allowed = min(self._window, call.window, _LARGE_STEP)
        taken: list[Buffer] = []
        while allowed > 0 and call.pending:
            size, pieces = _cut(call.pending, min(allowed, self._frame_size))
            taken += [frames.head(size, frames.DATA, 0, call.stream), *pieces]
            self._window -= size
            call.window -= size
            allowed -= size
            self.unsent_bytes -= size
            self.frames_sent += 1
        return taken


def tell(callbacks: Callbacks) -> None:
    """Call each; outside of the lock."""
    for callback in callbacks:
        callback()


def _cut(pieces: deque[Buffer], most: int) -> tuple[int, list[Buffer]]:
    """Take `most` bytes off the front, or all."""
    taken: list[Buffer] = []
    size = 0
    while pieces and size < most:
        piece = pieces.popleft()
        if len(piece) > most - size:
            view = memoryview(piece)
            pieces.appendleft(view[most - size :])
            piece = view[: most - size]
        taken.append(piece)
        size += len(piece)
    return size, taken
