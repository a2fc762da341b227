"""The answer to what is no gRPC call, held back until its body has come: curl may hear nothing while it still sends."""

from dataclasses import dataclass
from functools import partial
from time import monotonic

from ovserve.http2.call import Call
from ovserve.http2.ends import Ends

_MOST_HELD = 100  # on one connection; more are answered at once
_MOST_BODY_BYTES = 1 << 20  # passed over, and within what a call may send at first
_MOST_S = 2.0


@dataclass(slots=True)
class _Held:
    block: bytes
    least_granted: int  # of the call, which is less when much of the body has come
    since: float


class HeldRefusals:
    """Of one connection: each is said at the body's end, or when much of it has come, or after a while."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._held: dict[Call, _Held] = {}

    @property
    def has_room(self) -> bool:
        return len(self._held) < _MOST_HELD

    def hold(self, call: Call, block: bytes) -> None:
        """Have a header block answer a call of which nothing is wanted, in time."""
        call.over = True
        call.add_callback(partial(self._forget, call))
        self._held[call] = _Held(block, call.granted - _MOST_BODY_BYTES, monotonic())

    def widened(self, increment: int) -> None:
        """Know that each call may send so much more, which is no reason to wait for more of a body."""
        for held in list(self._held.values()):
            held.least_granted += increment

    def data_ended(self, call: Call) -> None:
        """Know that a frame of a call's body has come."""
        held = self._held.get(call)
        if held is not None and (call.remote_ended or call.granted < held.least_granted):
            self._say(call)

    def say_late(self, now: float) -> None:
        """Say those that have been held for long; in any thread."""
        for call, held in list(self._held.items()):
            if now - held.since > _MOST_S:
                self._say(call)

    def _say(self, call: Call) -> None:
        held = self._held.pop(call, None)
        if held is not None:
            # To curl a reset behind the answer is a fault. What it goes on sending is passed over.
            self._ends.answer(call.stream, held.block, has_ended=True)
            self._ends.drop(call)

    def _forget(self, call: Call) -> None:
        self._held.pop(call, None)
