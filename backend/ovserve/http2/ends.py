"""How streams end without an answer: refused, reset by either side, or dropped with their connection."""

from threading import Lock

from ovserve.http2 import frames
from ovserve.http2.call import Call
from ovserve.http2.frames import Fault
from ovserve.http2.open_calls import OpenCalls
from ovserve.http2.outbox import Outbox, tell
from ovserve.http2.patience import Patience

_COSTLY = 10  # frames that a stream's end by one side counts for


class Ends:
    """The ends of one connection's streams."""

    def __init__(self, lock: Lock, calls: OpenCalls, outbox: Outbox, patience: Patience) -> None:
        self._lock = lock
        self._calls = calls
        self._outbox = outbox
        self._patience = patience

    def refuse(self, stream: int, fault: Fault) -> None:
        """End a stream that has no call."""
        self._patience.spend(_COSTLY)
        with self._lock:
            self._outbox.emit([frames.rst_stream(stream, fault)])

    def answer(self, stream: int, block: bytes, *, has_ended: bool) -> None:
        """End a stream that has no call by a header block; the client is made to stop unless it has ended it."""
        rest = b"" if has_ended else frames.rst_stream(stream, Fault.NO_ERROR)
        with self._lock:
            self._outbox.emit([self._outbox.headers(stream, block, frames.END_STREAM) + rest])

    def reset(self, call: Call, fault: Fault) -> None:
        """End a call for a fault of the client's."""
        self.refuse(call.stream, fault)
        self.drop(call)

    def was_reset(self, stream: int) -> None:
        """Know that the client has ended a stream; raises a `ConnectionFault`."""
        call = self._calls.find(stream)
        # A client has to reset what its deadline has ended, and cannot know what we have just ended.
        self._patience.spend(_COSTLY if call is not None and call.time_remaining() else 1)
        if call is not None:
            call.remote_ended = True
            self.drop(call)

    def drop(self, call: Call) -> None:
        """Forget a call that nobody waits for."""
        with self._lock:
            call.over = True
            self._outbox.drop(call)
            callbacks = self._calls.forget(call)
        tell(callbacks)

    def drop_all(self) -> None:
        for call in self._calls:
            self.drop(call)
