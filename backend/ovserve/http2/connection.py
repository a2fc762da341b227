"""One connection: its calls, from their heads to their ends (RFC 9113, sections 5 and 6)."""

import threading
from time import monotonic
from typing import Protocol, TypeAlias

import grpc

from ovserve.http2 import frames, header_blocks
from ovserve.http2.call import Call
from ovserve.http2.frame_reader import FrameReader
from ovserve.http2.frames import ConnectionFault, Fault, StreamFault
from ovserve.http2.head import Head
from ovserve.http2.header_blocks import RequestHeads
from ovserve.http2.inbox import ENCODINGS, Inbox, Message
from ovserve.http2.limits import Limits
from ovserve.http2.methods import Method, Streaming, Work
from ovserve.http2.outbox import Callbacks, Outbox, tell
from ovserve.http2.patience import Patience
from ovserve.http2.status import Refused
from ovserve.http2.unary import UnaryWork
from ovserve.http2.wire import Wire

# What a client may send of a message before we know how long it is. A message that is longer is let in at once, whole.
_FIRST_BYTES = 2 << 20
# Before it is the next connection's turn.
_MOST_READS = 8
_MOST_READ_BYTES = 1 << 19
_LONG_BYTES = 2 << 20  # of a message, which others do not wait for
_COSTLY = 10  # frames that a stream's end by one side counts for

# Unpacking a header block takes long. One that is larger than gRPC's clients send counts as frames that carry nothing.
_LARGE_BLOCK_BYTES = 8 << 10
_BLOCK_BYTES_A_FRAME = 256

Works: TypeAlias = list[tuple[Method, Work]]


class Gone(Exception):
    """The client has left."""


class Site(Protocol):
    """What a connection belongs to."""

    limits: Limits

    def method(self, path: str) -> Method | None: ...

    def check(self, head: Head, peer: str) -> None:
        """Raise `Refused` where the call may not be made."""
        ...

    def let_lead(self) -> None:
        """Have another thread look after what comes to others, as this one is busy."""
        ...

    def arm(self, connection: "Connection", *, to_write: bool) -> None:
        """Have the connection looked after once it can be read, or also written to."""
        ...


class Connection:
    """Reads in one thread at a time; answers are written by whoever has them.

    `lock` guards what is written, the windows, and the calls.
    """

    def __init__(self, wire: Wire, peer: str, site: Site) -> None:
        self.wire = wire
        self.peer = peer
        self.limits = site.limits
        self.lock = threading.Lock()
        self.calls: dict[int, Call] = {}
        self.is_doomed = False  # the client broke the rules
        self.is_leaving = False  # no new calls, and the end when the last has ended
        self.born = self.heard = self.left = monotonic()
        self.pinged: float | None = None
        self.pace_s = 1.0  # that a call took lately,
        self.paced = 0.0  # as was last seen at this time
        self.outbox = Outbox(wire, self.lock, self._forget, self._want_to_write)
        self._site = site
        self._is_reading = True  # a thread is inside `receive`, or nothing is to be read yet
        self._patience = Patience()
        self._reader = FrameReader(self, self._patience)
        self._heads = RequestHeads()
        self._last_stream = 0
        self._receive_window = frames.MOST_WINDOW
        self._held_bytes = 0
        self._pings = 0  # of which each has a frame of DATA that it may be about
        self._works: Works = []

    # Reading; in one thread at a time

    def begin_reading(self) -> bool:
        """Be the one thread that reads; False where another one is."""
        with self.lock:
            if self._is_reading:
                return False
            self._is_reading = True
            return True

    def done_reading(self) -> None:
        """Let the next thread read once there is something."""
        with self.lock:
            self._is_reading = False
            if not self.outbox.is_closed:
                self._site.arm(self, to_write=self.outbox.is_stuck)

    def _want_to_write(self) -> None:
        if not self._is_reading:
            self._site.arm(self, to_write=True)

    def receive(self) -> Works:
        """Read what is there, and return what is to be done about it; raises `Gone`."""
        self._works = []
        try:
            reads = 0
            while self._receive_some() and (reads < _MOST_READS or self.wire.holds_more):
                if not reads and self._reader.missing > _LONG_BYTES:
                    self._site.let_lead()
                reads += 1
        except OSError:
            raise Gone from None
        except ConnectionFault as error:
            self._doom(error)
        self.heard = monotonic()
        self.pinged = None
        works, self._works = self._works, []
        return works

    def _receive_some(self) -> bool:
        """Read once, and tell whether there may be more that is better read at once."""
        place = None if self.is_doomed else self._reader.room()
        if place is None:
            data = self.wire.receive()
            if data is None:
                return False
            if not data:
                raise Gone
            if self.is_doomed:
                return False
            self._reader.feed(data)
        else:
            call, room = place
            count = self.wire.receive_into(room[:_MOST_READ_BYTES])
            if count is None:
                return False
            if not count:
                raise Gone
            self._reader.received(call, count)
        return self.wire.holds_more or (not self._works and self._reader.room() is not None)

    def _doom(self, error: ConnectionFault) -> None:
        """Tell the client what was wrong, and hear no more: a connection closed at once might lose the word."""
        self.leave(error.fault, str(error))
        self.is_doomed = True
        self._works.clear()
        self._drop_all()
        self.wire.say_no_more()

    # What is read

    def greet(self) -> None:
        ours = {
            frames.MAX_CONCURRENT_STREAMS: self.limits.streams,
            frames.INITIAL_WINDOW_SIZE: _FIRST_BYTES,
            frames.MAX_FRAME_SIZE: frames.MOST_FRAME_SIZE,
            frames.MAX_HEADER_LIST_SIZE: self.limits.metadata_bytes,
        }
        widened = frames.window_update(0, frames.MOST_WINDOW - frames.FIRST_WINDOW)
        with self.lock:
            self.outbox.emit([frames.settings(ours) + widened])

    @property
    def is_greeted(self) -> bool:
        return self._reader.has_settings

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in _OF_CONNECTION and stream:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "a frame of the connection on a stream")
        if kind == frames.WINDOW_UPDATE:
            self._widen(stream, frames.number(payload) & frames.MOST_WINDOW)
        elif kind == frames.PING:
            self._pong(flags, payload)
        elif kind == frames.SETTINGS:
            self._settings(flags, payload)
        elif kind == frames.RST_STREAM:
            self._let_go(stream)
        elif kind == frames.PUSH_PROMISE:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "PUSH_PROMISE from a client")
        elif kind == frames.PRIORITY:
            if not stream:
                raise ConnectionFault(Fault.PROTOCOL_ERROR, "PRIORITY without a stream")
            self._patience.spend()

    def _widen(self, stream: int, increment: int) -> None:
        if not stream:
            if not increment:
                raise ConnectionFault(Fault.PROTOCOL_ERROR, "a window updated by nothing")
            with self.lock:
                self.outbox.widen(increment)
        else:
            self._check_known(stream)
            call = self.calls.get(stream)
            if call is None:
                return
            with self.lock:
                self.outbox.widen_call(call, increment)
            if not increment or call.window > frames.MOST_WINDOW:
                self._reset(call, Fault.FLOW_CONTROL_ERROR if increment else Fault.PROTOCOL_ERROR)
        self.outbox.pump()

    def _pong(self, flags: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            # A ping for each DATA is how Go's client measures what its connection can carry.
            if self._pings < self.outbox.frames_sent:
                self._pings += 1
            else:
                self._patience.spend()
            with self.lock:
                self.outbox.emit_reply(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _settings(self, flags: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        self._patience.spend()
        with self.lock:
            for name, value in frames.read_settings(payload):
                if name == frames.INITIAL_WINDOW_SIZE:
                    self.outbox.set_call_window(value, list(self.calls.values()))
                elif name == frames.MAX_FRAME_SIZE:
                    self.outbox.set_frame_size(value)
                elif name == frames.HEADER_TABLE_SIZE:
                    self.outbox.set_table_size(value)
                elif name == frames.ENABLE_PUSH and value > 1:
                    raise ConnectionFault(Fault.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
            self.outbox.emit_reply(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self.outbox.pump()

    def _let_go(self, stream: int) -> None:
        self._check_known(stream)
        call = self.calls.get(stream)
        # A client has to reset what its deadline has ended, and cannot know what we have just ended.
        self._patience.spend(_COSTLY if call is not None and call.time_remaining() else 1)
        if call is not None:
            call.remote_ended = True
            self._drop(call)

    def _check_known(self, stream: int) -> None:
        is_new = stream > self._last_stream and not self.is_leaving  # then we have not looked at all there are
        if not stream or is_new or stream % 2 == 0:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "a frame of a stream that was never open")

    # Heads

    def header_block(self, stream: int, block: bytes, *, ends: bool) -> None:
        if len(block) > _LARGE_BLOCK_BYTES:
            self._patience.spend(len(block) // _BLOCK_BYTES_A_FRAME)
        if stream % 2 == 0:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "HEADERS on a stream that is no client's")
        if stream <= self._last_stream:
            self._trailers(stream, block, ends=ends)
            return
        self._last_stream = stream if not self.is_leaving else self._last_stream
        try:
            head = self._heads.read(block)
        except StreamFault as error:
            if not self.is_leaving:
                self._refuse_stream(stream, error.fault)
            return
        if self.is_leaving:
            return  # the client was told that it has not been looked at
        if len(self.calls) >= self.limits.streams:
            self._refuse_stream(stream, Fault.REFUSED_STREAM)
        elif head.refusal is not None:
            # No gRPC client; to curl a reset behind the answer is a fault. What it goes on sending is passed over.
            self._end_at_once(stream, header_blocks.http_refusal(head.refusal), ends=True)
        else:
            try:
                self._begin(stream, head, ends=ends)
            except Refused as refused:
                trailers = header_blocks.trailers(refused.code.value[0], refused.details)
                self._end_at_once(stream, header_blocks.ANSWER + trailers, ends=ends)

    def _begin(self, stream: int, head: Head, *, ends: bool) -> None:
        if head.size > self.limits.metadata_bytes:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the metadata has {head.size} bytes, expected at most {self.limits.metadata_bytes}",
            )
        if self.outbox.unsent_bytes > self.limits.held_bytes:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the connection's unread answers have more than {self.limits.held_bytes} bytes, the most expected",
            )
        self._site.check(head, self.peer)
        method = self._site.method(head.path)
        if method is None:
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        if head.encoding not in ENCODINGS:
            raise Refused(
                grpc.StatusCode.UNIMPLEMENTED,
                f"messages compressed as '{head.encoding[:64]}' are not read, only as {', '.join(sorted(ENCODINGS))}",
            )
        inbox = Inbox(self.limits.message_bytes, head.encoding)
        call = Call(self, stream, head, method, inbox)
        call.granted, call.window = _FIRST_BYTES, self.outbox.call_window
        if isinstance(method, Streaming):
            call.sink = method.open(call)
        with self.lock:
            self.calls[stream] = call
        if ends:
            self._remote_end(call)

    def _trailers(self, stream: int, block: bytes, *, ends: bool) -> None:
        call = self.calls.get(stream)
        try:
            self._heads.read_trailers(block)
        except StreamFault as error:
            if call is not None:
                self._reset(call, error.fault)
                return
        if call is None:
            self._patience.spend()
        elif call.remote_ended:
            self._reset(call, Fault.STREAM_CLOSED)
        elif not ends:
            self._reset(call, Fault.PROTOCOL_ERROR)
        elif not call.over:
            self._remote_end(call)

    # Messages

    def data_begins(self, stream: int, length: int) -> Call | None:
        self._receive_window -= length
        if self._receive_window < 0:
            raise ConnectionFault(Fault.FLOW_CONTROL_ERROR, "more than the connection's window was sent")
        if self._receive_window < frames.MOST_WINDOW // 2:
            with self.lock:
                self.outbox.emit([frames.window_update(0, frames.MOST_WINDOW - self._receive_window)])
            self._receive_window = frames.MOST_WINDOW
        call = self.calls.get(stream)
        if call is None:
            self._check_known(stream)
            return None
        if call.remote_ended:
            self._reset(call, Fault.STREAM_CLOSED)
            return None
        call.granted -= length
        if call.granted < 0:
            self._reset(call, Fault.FLOW_CONTROL_ERROR)
            return None
        return call

    def data(self, call: Call, data: bytes, at: int, end: int) -> None:
        try:
            for message in call.inbox.take(data, at, end):
                self._deliver(call, message)
        except Refused as refused:
            call.finish(refused.code, refused.details)

    def data_in_place(self, call: Call, count: int) -> None:
        try:
            message = call.inbox.fill(count)
            if message is not None:
                self._deliver(call, message)
        except Refused as refused:
            call.finish(refused.code, refused.details)

    def data_ends(self, call: Call, *, ends: bool) -> None:
        if call.over:
            call.remote_ended = call.remote_ended or ends
        elif ends:
            self._remote_end(call)
        else:
            self._let_in(call)

    def _deliver(self, call: Call, message: Message) -> None:
        """Pass a message on; raises `Refused`."""
        self._hold(call, len(message) - call.begun)
        call.begun = 0
        if call.sink is not None:
            work = call.sink.message(message)
            if work is not None:
                self._works.append((call.method, work))
        elif call.message is not None:
            raise _one_message()
        else:
            call.message = message

    def _remote_end(self, call: Call) -> None:
        call.remote_ended = True
        message, call.message = call.message, None
        if not call.inbox.is_empty:
            call.finish(grpc.StatusCode.INTERNAL, "the last message is not whole")
        elif call.sink is not None:
            call.sink.half_closed()
        elif message is None:
            call.finish(_one_message().code, _one_message().details)
        else:
            self._works.append((call.method, UnaryWork(call, message)))

    def _let_in(self, call: Call) -> None:
        """Let the client send the message that has begun, whole, and the next ones as at first."""
        missing = call.inbox.missing
        if missing and not call.begun:
            call.begun = call.inbox.size
            try:
                self._hold(call, call.begun)
            except Refused as refused:
                call.finish(refused.code, refused.details)
                return
        if not call.is_paused and (call.granted < missing or call.granted < _FIRST_BYTES // 2):
            with self.lock:
                self._grant(call)

    def _grant(self, call: Call) -> None:
        wanted = max(_FIRST_BYTES, call.inbox.missing)
        if wanted > call.granted and not call.over and not call.remote_ended:
            self.outbox.emit([frames.window_update(call.stream, wanted - call.granted)])
            call.granted = wanted

    def _hold(self, call: Call, count: int) -> None:
        """Count bytes of messages that have no answer yet; raises `Refused` where it is too many."""
        with self.lock:
            self._held_bytes += count
            call.held += count
            if self._held_bytes <= self.limits.held_bytes:
                return
        raise Refused(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"the connection's unanswered messages have more than {self.limits.held_bytes} bytes, the most expected",
        )

    def release(self, call: Call, count: int) -> None:
        """Count `count` bytes of messages less."""
        with self.lock:
            count = min(count, call.held)
            call.held -= count
            self._held_bytes -= count

    def resume(self, call: Call) -> None:
        """Let a client send that was made to pause."""
        with self.lock:
            if call.is_paused:
                call.is_paused = False
                self._grant(call)

    # Ends

    def _refuse_stream(self, stream: int, fault: Fault) -> None:
        self._patience.spend(_COSTLY)
        with self.lock:
            self.outbox.emit([frames.rst_stream(stream, fault)])

    def _end_at_once(self, stream: int, block: bytes, *, ends: bool) -> None:
        rest = b"" if ends else frames.rst_stream(stream, Fault.NO_ERROR)
        with self.lock:
            self.outbox.emit([self.outbox.headers(stream, block, frames.END_STREAM) + rest])

    def _reset(self, call: Call, fault: Fault) -> None:
        """End a stream for a fault of the client's."""
        self._refuse_stream(call.stream, fault)
        self._drop(call)

    def _drop(self, call: Call) -> None:
        """Forget a call that nobody waits for."""
        with self.lock:
            call.over = True
            self.outbox.drop(call)
            callbacks = self._forget(call)
        tell(callbacks)

    def _drop_all(self) -> None:
        for call in list(self.calls.values()):
            self._drop(call)

    def _forget(self, call: Call) -> Callbacks:
        """Know that a call has ended for both sides, and return what is to be called then; under the lock."""
        if call.ended:
            return []
        call.ended = True
        self.calls.pop(call.stream, None)
        self._held_bytes -= call.held
        call.held = 0
        return call.end_callbacks()

    def abandon(self) -> None:
        """Know that the client has left: every call is over."""
        with self.lock:
            self.outbox.close()
        self._drop_all()

    def leave(self, fault: Fault = Fault.NO_ERROR, sentence: str = "") -> None:
        """Take no more calls, and tell the client which ones have been looked at."""
        with self.lock:
            if not self.is_leaving or fault:
                self.is_leaving = True
                self.left = monotonic()
                self.outbox.emit([frames.goaway(self._last_stream, fault, sentence)])

    def ping(self) -> None:
        """Ask for a sign of life."""
        with self.lock:
            self.pinged = monotonic()
            self.outbox.emit([frames.frame(frames.PING, 0, 0, b"ovserve?")])

    def end_calls(self) -> None:
        """End every call that is still there."""
        for call in list(self.calls.values()):
            call.finish(grpc.StatusCode.UNAVAILABLE, "the server has stopped")

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do or to send."""
        return not (self.calls or self.outbox.has_unsent)


def _one_message() -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, "the method takes exactly one message")


_OF_CONNECTION = frozenset({frames.SETTINGS, frames.PING, frames.GOAWAY})
