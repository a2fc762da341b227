"""DATA -> messages -> what is to be done about them, as fast as the windows let a client send."""

from collections.abc import Callable
from threading import Lock

import grpc

from ovserve.http2 import frames
from ovserve.http2.call import Call
from ovserve.http2.ends import Ends
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.held_refusals import HeldRefusals
from ovserve.http2.inbox import PREFIX_BYTES, Message
from ovserve.http2.methods import Method, Work
from ovserve.http2.open_calls import OpenCalls
from ovserve.http2.outbox import Outbox
from ovserve.http2.status import Refused
from ovserve.http2.unary import UnaryWork

# What a client may send of a message before we know how long it is. A message that is longer is let in at once, whole;
_FIRST_BYTES = 2 << 20
# and messages as long as that one, up to so much, need not wait to be let in from then on.
_MOST_FIRST_BYTES = 16 << 20


class Messages:
    """The messages of one connection; `work` is told what is to be done."""

    def __init__(
        self,
        lock: Lock,
        calls: OpenCalls,
        outbox: Outbox,
        ends: Ends,
        refusals: HeldRefusals,
        *,
        work: Callable[[Method, Work], None],
    ) -> None:
        self._lock = lock
        self._calls = calls
        self._outbox = outbox
        self._ends = ends
        self._refusals = refusals
        self._work = work
        self._window = frames.MOST_WINDOW
        self.first_bytes = _FIRST_BYTES

    # What is read

    def data_begins(self, stream: int, length: int) -> Call | None:
        self._window -= length
        if self._window < 0:
            raise ConnectionFault(Fault.FLOW_CONTROL_ERROR, "more than the connection's window was sent")
        if self._window < frames.MOST_WINDOW // 2:
            with self._lock:
                self._outbox.emit([frames.window_update(0, frames.MOST_WINDOW - self._window)])
            self._window = frames.MOST_WINDOW
        call = self._calls.find(stream)
        if call is None:
            return None
        if call.remote_ended:
            self._ends.reset(call, Fault.STREAM_CLOSED)
            return None
        call.granted -= length
        if call.granted < 0:
            self._ends.reset(call, Fault.FLOW_CONTROL_ERROR)
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
            self._refusals.data_ended(call)
        elif ends:
            self.end(call)
        else:
            self._let_in(call)

    def end(self, call: Call) -> None:
        """Know that no message of a call follows."""
        call.remote_ended = True
        message, call.message = call.message, None
        if not call.inbox.is_empty:
            call.finish(grpc.StatusCode.INTERNAL, "the last message is not whole")
        elif call.sink is not None:
            call.sink.half_closed()
        elif message is None:
            call.finish(_one_message().code, _one_message().details)
        else:
            self._work(call.method, UnaryWork(call, message))

    def _deliver(self, call: Call, message: Message) -> None:
        """Pass a message on; raises `Refused`."""
        self._calls.hold(call, len(message) - call.begun)
        call.begun = 0
        if call.sink is not None:
            work = call.sink.message(message)
            if work is not None:
                self._work(call.method, work)
        elif call.message is not None:
            raise _one_message()
        else:
            call.message = message

    # What a client may send

    def _let_in(self, call: Call) -> None:
        """Let the client send the message that has begun, whole, and the next ones as at first."""
        missing = call.inbox.missing
        if missing and not call.begun:
            call.begun = call.inbox.size
            try:
                self._calls.hold(call, call.begun)
            except Refused as refused:
                call.finish(refused.code, refused.details)
                return
            self._expect_more_like(call)
        # Behind a message of a unary call nothing comes; of a stream's messages none is to wait for us.
        least = missing if missing and call.sink is None else max(missing, self.first_bytes // 2)
        if call.granted < least and not call.is_paused:
            with self._lock:
                self._grant(call)

    def _grant(self, call: Call) -> None:
        wanted = max(self.first_bytes, call.inbox.missing)
        increment = wanted - call.granted
        if increment > 0 and not call.over and not call.remote_ended:
            call.granted = wanted  # beforehand, as the client may use it before `emit` returns
            self._outbox.emit([frames.window_update(call.stream, increment)])

    def _expect_more_like(self, call: Call) -> None:
        """Have messages as long as this one sent without a wait for our word (RFC 9113, section 6.9.2)."""
        wanted = min(_whole_mib(PREFIX_BYTES + call.begun), _MOST_FIRST_BYTES)
        increment = wanted - self.first_bytes
        if increment > 0:
            with self._lock:
                for other in self._calls:
                    other.granted += increment
                self._refusals.widened(increment)
                self.first_bytes = wanted
                self._outbox.emit([frames.settings({frames.INITIAL_WINDOW_SIZE: wanted})])

    def resume(self, call: Call) -> None:
        """Let a client send that was made to pause."""
        with self._lock:
            if call.is_paused:
                call.is_paused = False
                self._grant(call)


def _whole_mib(size: int) -> int:
    return -(-size >> 20) << 20


def _one_message() -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, "the method takes exactly one message")
