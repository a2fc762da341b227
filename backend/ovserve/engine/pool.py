"""A pool of slots with a bounded, fair queue in front of it."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Generic, TypeVar

from ovserve.errors import Cancelled, DeadlineExceeded, Overloaded
from ovserve.requests import FOREVER_S, Caller

SlotT = TypeVar("SlotT")


@dataclass(frozen=True, slots=True)
class Queue:
    """How many requests of `owner`, whose name begins every sentence, may wait for a slot, and for how many seconds.

    `timeout_s` None waits without limit.
    """

    owner: str
    most: int
    timeout_s: float | None = None


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

    At most `queue.most` requests wait; one more is refused at once with `Overloaded`. A request leaves the queue when
    its caller goes (`Cancelled`), when the caller's time is over (`DeadlineExceeded`), or after `queue.timeout_s`
    seconds (`Overloaded`).
    """

    def __init__(self, slots: Iterable[SlotT], queue: Queue) -> None:
        self._free = deque(slots)
        self._size = len(self._free)
        self._queue = queue
        self._waiters: deque[_Waiter[SlotT]] = deque()
        self._lock = threading.Lock()
        self.admitted_at_once = len(self._free) + queue.most

    @property
    def lent(self) -> int:
        """How many slots are lent now."""
        return self._size - len(self._free)

    @contextmanager
    def slot(
        self, caller: Caller, *, admitted: bool = False, waits: bool = True, queue: Queue | None = None
    ) -> Iterator[SlotT]:
        """Lend a slot for the time of the `with` block; who is `admitted` already is not refused for a full queue.

        Who does not wait is refused where none is free. `queue` is that of the one who asks, where several share the
        pool.
        """
        slot = self.take(caller, admitted=admitted, waits=waits, queue=queue)
        try:
            yield slot
        finally:
            self.give_back(slot)

    def take(self, caller: Caller, *, admitted: bool = False, waits: bool = True, queue: Queue | None = None) -> SlotT:
        """Lend a slot until `give_back`; otherwise as `slot`."""
        queue = queue or self._queue
        with self._lock:
            if self._free:  # nobody waits: a released slot goes to a waiter before it counts as free
                return self._free.popleft()
            if not waits:
                raise Overloaded(
                    f"{queue.owner}: it is called from within itself while all of its {self._size} instances are busy, "
                    f"and would wait for its own end"
                )
            if len(self._waiters) >= queue.most and not admitted:
                raise Overloaded(
                    f"{queue.owner}: {len(self._waiters)} requests are waiting already, "
                    f"as many as max_queue allows; try again later"
                )
            waiter = _Waiter[SlotT]()
            self._waiters.append(waiter)
        return self._wait(waiter, caller, queue)

    def _wait(self, waiter: _Waiter[SlotT], caller: Caller, queue: Queue) -> SlotT:
        if not caller.add_callback(self._leave(waiter)):
            self._leave(waiter)()
        patience_s = caller.time_remaining()
        timeout_s = min(patience_s, inf if queue.timeout_s is None else queue.timeout_s)
        waiter.woken.wait(min(timeout_s, FOREVER_S))
        with self._lock:
            if waiter.slot is not None:
                return waiter.slot
            if waiter.state is _State.GONE:
                raise Cancelled(f"{queue.owner}: the caller went away while the request was waiting")
            waiter.state = _State.GONE
            self._waiters.remove(waiter)
        if timeout_s >= patience_s:
            raise DeadlineExceeded(f"{queue.owner}: the deadline passed while the request was waiting for its turn")
        raise Overloaded(f"{queue.owner}: no turn came within {timeout_s:g} s, as long as queue_timeout allows")

    def _leave(self, waiter: _Waiter[SlotT]) -> Callable[[], None]:
        def leave() -> None:
            with self._lock:
                if waiter.state is not _State.WAITING:
                    return
                waiter.state = _State.GONE
                self._waiters.remove(waiter)
            waiter.woken.set()

        return leave

    def give_back(self, slot: SlotT) -> None:
        """Have it for the next one, in any thread."""
        with self._lock:
            if not self._waiters:
                self._free.append(slot)
                return
            waiter = self._waiters.popleft()
            waiter.state = _State.SERVED
            waiter.slot = slot
        waiter.woken.set()
