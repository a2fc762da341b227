"""One connection: read by one thread at a time, from its greeting to its end (RFC 9113, sections 3 and 5)."""

import threading
from math import inf
from time import monotonic
from typing import Protocol, TypeAlias

import grpc

from ovserve.http2 import frames
from ovserve.http2.call_heads import Admission, CallHeads
from ovserve.http2.control_frames import ControlFrames
from ovserve.http2.ends import Ends
from ovserve.http2.frame_reader import FrameReader
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.held_refusals import HeldRefusals
from ovserve.http2.limits import Limits
from ovserve.http2.messages import Messages
from ovserve.http2.methods import Method, Work
from ovserve.http2.open_calls import OpenCalls
from ovserve.http2.outbox import Outbox
from ovserve.http2.patience import Patience
from ovserve.http2.wire import Wire

# Before it is the next connection's turn.
_MOST_READS = 8
_MOST_READ_BYTES = 1 << 19
_LONG_BYTES = 2 << 20  # of a message, which others do not wait for

Works: TypeAlias = list[tuple[Method, Work]]


class Gone(Exception):
    """The client has left."""


class Site(Admission, Protocol):
    """What a connection belongs to."""

    limits: Limits

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
        self.is_doomed = False  # the client broke the rules
        self.born = self.heard = self.left = monotonic()
        self.pinged: float | None = None
        self.pace_s = 1.0  # that a call took lately,
        self.paced = 0.0  # as was last seen at this time,
        self.tried = 0.0  # and when it was last found out in a turn that might not have been quick
        self._site = site
        self._is_reading = True  # a thread is inside `receive`, or nothing is to be read yet
        self._works: Works = []
        self.calls = OpenCalls(self.lock, self.limits.held_bytes)
        self.outbox = Outbox(wire, self.lock, self.calls.forget, self._want_to_write)
        patience = Patience()
        self._ends = Ends(self.lock, self.calls, self.outbox, patience)
        self.refusals = HeldRefusals(self._ends)
        self.messages = Messages(self.lock, self.calls, self.outbox, self._ends, self.refusals, work=self._work)
        heads = CallHeads(self, site, self._ends, patience)
        control = ControlFrames(self.lock, self.calls, self.outbox, self._ends, patience)
        self._reader = FrameReader(self.greet, heads, self.messages, control, patience)

    def _work(self, method: Method, work: Work) -> None:
        self._works.append((method, work))

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
        self._ends.drop_all()
        self.wire.say_no_more()

    # What we say

    def greet(self) -> None:
        ours = {
            frames.MAX_CONCURRENT_STREAMS: self.limits.streams,
            frames.INITIAL_WINDOW_SIZE: self.messages.first_bytes,
            frames.MAX_FRAME_SIZE: frames.MOST_FRAME_SIZE,
            frames.MAX_HEADER_LIST_SIZE: self.limits.metadata_bytes,
        }
        widened = frames.window_update(0, frames.MOST_WINDOW - frames.FIRST_WINDOW)
        with self.lock:
            self.outbox.emit([frames.settings(ours) + widened])

    @property
    def is_greeted(self) -> bool:
        return self._reader.has_settings

    @property
    def is_leaving(self) -> bool:
        """Whether no new calls are taken, and it ends when the last has ended."""
        return self.calls.is_closed

    def abandon(self) -> None:
        """Know that the client has left: every call is over."""
        with self.lock:
            self.outbox.close()
        self._ends.drop_all()

    def leave(self, fault: Fault = Fault.NO_ERROR, sentence: str = "") -> None:
        """Take no more calls, and tell the client which ones have been looked at."""
        with self.lock:
            if not self.calls.is_closed or fault:
                self.calls.is_closed = True
                self.left = monotonic()
                self.outbox.emit([frames.goaway(self.calls.last_stream, fault, sentence)])

    def ping(self) -> None:
        """Ask for a sign of life."""
        with self.lock:
            self.pinged = monotonic()
            self.outbox.emit([frames.frame(frames.PING, 0, 0, b"ovserve?")])

    def end_calls(self) -> None:
        """End every call that is still there."""
        self.refusals.say_late(inf)
        for call in self.calls:
            call.finish(grpc.StatusCode.UNAVAILABLE, "the server has stopped")

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do or to send; not while it is read, as that may find a call."""
        with self.lock:  # a call is forgotten just before its answer leaves
            return not (self._is_reading or len(self.calls) or self.outbox.has_unsent)
