"""The calls of one connection that have not ended, and what their messages take."""

from collections.abc import Iterator
from threading import Lock

import grpc

from ovserve.http2.call import Call
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.outbox import Callbacks
from ovserve.http2.status import Refused


class OpenCalls:
    """By stream; all but what only reading uses is changed under the connection's lock."""

    def __init__(self, lock: Lock, most_held_bytes: int) -> None:
        self.last_stream = 0  # that was looked at
        self.is_closed = False  # to new ones: from then on none is looked at
        self._lock = lock
        self._by_stream: dict[int, Call] = {}
        self._most_held_bytes = most_held_bytes
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._by_stream)

    def __iter__(self) -> Iterator[Call]:
        """Go through those that are there now, whichever end meanwhile."""
        return iter(list(self._by_stream.values()))

    def add(self, call: Call) -> None:
        with self._lock:
            self._by_stream[call.stream] = call

    def find(self, stream: int) -> Call | None:
        """Return a stream's call, None where it has ended; raises a `ConnectionFault` where there never was one."""
        call = self._by_stream.get(stream)
        if call is None:
            is_new = stream > self.last_stream and not self.is_closed  # then we have not looked at all there are
            if not stream or is_new or stream % 2 == 0:
                raise ConnectionFault(Fault.PROTOCOL_ERROR, "a frame of a stream that was never open")
        return call

    def hold(self, call: Call, count: int) -> None:
        """Count bytes of messages that have no answer yet; raises `Refused` where it is too many."""
        with self._lock:
            self._held_bytes += count
            call.held += count
            if self._held_bytes <= self._most_held_bytes:
                return
        raise Refused(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"the connection's unanswered messages have more than {self._most_held_bytes} bytes, the most expected",
        )

    def release(self, call: Call, count: int) -> None:
        """Count `count` bytes of messages less."""
        with self._lock:
            count = min(count, call.held)
            call.held -= count
            self._held_bytes -= count

    def forget(self, call: Call) -> Callbacks:
        """Know that a call has ended for both sides, and return what is to be called then; under the lock."""
        if call.ended:
            return []
        call.ended = True
        self._by_stream.pop(call.stream, None)
        self._held_bytes -= call.held
        call.held = 0
        return call.end_callbacks()
