"""A pool of slots with a bounded, fair queue in front of it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from math import inf
from typing import Generic, TypeVar

from ovserve.errors import Cancelled, DeadlineExceeded, Overloaded
from ovserve.requests import Caller

SlotT = TypeVar("SlotT")

# CPython takes no longer timeout for a lock (threading.TIMEOUT_MAX); a year is for ever here.
_FOREVER_S = 365 * 24 * 3600.0


class _State(Enum):
    WAITING = auto()
    SERVED = auto()
    GONE = auto()


class _Waiter(Generic[SlotT]):
    """One request in the queue; its state changes under the pool's lock only."""

    __slots__ = ("slot", "state", "woken")

    def __init__(self) -> None:
        self.state = _State.WAITING
        self.slot: SlotT | None = None
        self.woken = threading.Event()


class SlotPool(Generic[SlotT]):
    """Lends slots, each to one request at a time, first come first served.

    At most `max_queue` requests wait; one more is refused at once with `Overloaded`. A request leaves the queue when
    its caller goes (`Cancelled`), when the caller's time is over (`DeadlineExceeded`), or after `queue_timeout_s`
    seconds (`Overloaded`; None waits without limit).
    """

    def __init__(self, slots: Iterable[SlotT], *, owner: str, max_queue: int, queue_timeout_s: float | None) -> None:
        self._free = deque(slots)
        self._size = len(self._free)
        self._owner = owner
        self._max_queue = max_queue
        self._queue_timeout_s = queue_timeout_s
        self._waiters: deque[_Waiter[SlotT]] = deque()
        self._lock = threading.Lock()
        self.admitted_at_once = len(self._free) + max_queue

    @property
    def lent(self) -> int:
        """How many slots are lent now."""
        return self._size - len(self._free)

    @contextmanager
    def slot(self, caller: Caller, *, admitted: bool = False) -> Iterator[SlotT]:
        """Lend a slot for the time of the `with` block; who is `admitted` already is not refused for a full queue."""
        slot = self._acquire(caller, admitted=admitted)
        try:
            yield slot
        finally:
            self._release(slot)

    def _acquire(self, caller: Caller, *, admitted: bool) -> SlotT:
        with self._lock:
            if self._free:  # nobody waits: a released slot goes to a waiter before it counts as free
                return self._free.popleft()
            if len(self._waiters) >= self._max_queue and not admitted:
                raise Overloaded(
                    f"{self._owner}: {len(self._waiters)} requests are waiting already, "
                    f"as many as max_queue allows; try again later"
                )
            waiter = _Waiter[SlotT]()
            self._waiters.append(waiter)
        return self._wait(waiter, caller)

    def _wait(self, waiter: _Waiter[SlotT], caller: Caller) -> SlotT:
        if not caller.add_callback(self._leave(waiter)):
            self._leave(waiter)()
        patience_s = caller.time_remaining()
        timeout_s = min(patience_s, inf if self._queue_timeout_s is None else self._queue_timeout_s)
        waiter.woken.wait(min(timeout_s, _FOREVER_S))
        with self._lock:
            if waiter.slot is not None:
                return waiter.slot
            if waiter.state is _State.GONE:
                raise Cancelled(f"{self._owner}: the caller went away while the request was waiting")
            waiter.state = _State.GONE
            self._waiters.remove(waiter)
        if timeout_s >= patience_s:
            raise DeadlineExceeded(f"{self._owner}: the deadline passed while the request was waiting for its turn")
        raise Overloaded(f"{self._owner}: no turn came within {timeout_s:g} s, as long as queue_timeout allows")

    def _leave(self, waiter: _Waiter[SlotT]) -> Callable[[], None]:
        def leave() -> None:
            with self._lock:
                if waiter.state is not _State.WAITING:
                    return
                waiter.state = _State.GONE
                self._waiters.remove(waiter)
            waiter.woken.set()

        return leave

    def _release(self, slot: SlotT) -> None:
        with self._lock:
            if not self._waiters:
                self._free.append(slot)
                return
            waiter = self._waiters.popleft()
            waiter.state = _State.SERVED
            waiter.slot = slot
        waiter.woken.set()
