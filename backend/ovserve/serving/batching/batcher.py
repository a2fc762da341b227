"""Runs requests in groups: the thread of one of them runs its group, the others wait for it."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from math import inf
from time import monotonic
from typing import Generic, TypeAlias, TypeVar

from ovserve.config.dynamic_batching import DynamicBatching
from ovserve.errors import Cancelled, DeadlineExceeded, NoTurn, Overloaded, OVServeError
from ovserve.requests import FOREVER_S, Caller
from ovserve.serving.batching.grouping import next_group, rules

I = TypeVar("I")  # noqa: E741 - what is run
A = TypeVar("A")

# What runs a group: an answer or an error for each, in their order.
Run: TypeAlias = Callable[[Sequence[I]], Sequence[A | OVServeError]]


class _State(Enum):
    WAITING = auto()
    TAKEN = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Wish(Generic[I]):
    """A request that wants to be run: so many rows, with any others of the same `key`.

    `priority` and `timeout_us` are the request's own, 0 where it has none.
    """

    item: I
    rows: int
    key: Hashable
    priority: int = 0
    timeout_us: int = 0


class _Waiter(Generic[I, A]):
    """One request; what it tells changes under the batcher's lock only.

    `woken` is there where its thread waits, to run a group or for the outcome; `released` where answers keep an order.
    """

    __slots__ = (
        "delays",
        "group",
        "is_done",
        "item",
        "key",
        "level",
        "outcome",
        "released",
        "rows",
        "since_s",
        "state",
        "until_s",
        "woken",
    )

    def __init__(self, wish: Wish[I], level: int, timeout_s: float | None, *, delays: bool) -> None:
        self.item = wish.item
        self.rows = wish.rows
        self.key = wish.key
        self.level = level
        self.since_s = monotonic()
        self.until_s = inf if timeout_s is None else self.since_s + timeout_s
        self.delays = delays
        self.state = _State.WAITING
        self.group: list[_Waiter[I, A]] = []  # which its thread runs
        self.outcome: A | OVServeError | None = None
        self.is_done = False
        self.woken: threading.Event | None = None
        self.released: threading.Event | None = None


class Batcher(Generic[I, A]):
    """Lets at most `seats` groups of at most `most` rows run at the same time.

    At most `max_queue` requests wait; one more is refused at once with `Overloaded`, unless it is admitted already.
    A request leaves the queue when its caller goes (`Cancelled`), when the caller's time is over (`DeadlineExceeded`),
    after `queue_timeout_s` seconds (`Overloaded`; None waits without limit), and as the policy of its level says
    (`NoTurn`). Answers that are to keep the order are released in the order in which their requests came.
    """

    def __init__(
        self,
        batching: DynamicBatching,
        *,
        most: int,
        seats: int,
        owner: str,
        max_queue: int,
        queue_timeout_s: float | None,
    ) -> None:
        self._batching = batching
        self._rules = rules(batching, most)
        self._free = seats
        self._owner = owner
        self._max_queue = max_queue
        self._queue_timeout_s = inf if queue_timeout_s is None else queue_timeout_s
        self._queue: list[_Waiter[I, A]] = []
        self._order: deque[_Waiter[I, A]] = deque()  # of those that have not been released, where that matters
        self._lock = threading.Lock()
        self._extra = 0
        self.admitted_at_once = seats * most + max_queue

    @property
    def running_along(self) -> int:
        """How many requests run now that do so along with the first one of their group."""
        return self._extra

    def submit(self, wish: Wish[I], caller: Caller, run: Run[I, A], *, admitted: bool = False) -> A:
        """Have a request run with others, and return its answer; raises its error, and what waiting may end in.

        `run` is what this thread runs a group with, if it is the one to do so: with it come no references to the
        batcher's owner, who is to be freed by the last request.
        """
        level = self._batching.level(wish.priority)
        policy = self._batching.policy_of(level)
        waiter: _Waiter[I, A] = _Waiter(wish, level, policy.timeout_s(wish.timeout_us), delays=policy.delays)
        with self._lock:
            if not admitted:
                self._admit(level, policy.max_queue_size)
            self._queue.append(waiter)
            if self._rules.keeps_order:
                waiter.released = threading.Event()
                self._order.append(waiter)
            starting = self._start(waiter)
            if not waiter.group:
                waiter.woken = threading.Event()
        _wake(starting)
        if not waiter.group:
            self._wait(waiter, caller)
        if waiter.group:
            self._run_group(waiter.group, run)
        if waiter.released is not None:
            waiter.released.wait()
        return _answer(waiter)

    def _admit(self, level: int, max_queue_size: int) -> None:
        """Refuse a request that finds no place in the queue; the lock is held."""
        if len(self._queue) >= self._max_queue + self._free * self._rules.most:
            raise Overloaded(
                f"{self._owner}: {len(self._queue)} requests are waiting already, "
                f"as many as max_queue allows; try again later"
            )
        if max_queue_size and sum(waiting.level == level for waiting in self._queue) >= max_queue_size:
            which = f" of priority level {level}" if level else ""
            raise NoTurn(
                f"{self._owner}: {max_queue_size} requests{which} are waiting already, "
                f"as many as max_queue_size allows; try again later"
            )

    def _start(self, awake: "_Waiter[I, A] | None" = None) -> "list[_Waiter[I, A]]":
        """Begin what can begin, and name those whose threads are to be woken for that; the lock is held.

        Who is `awake` runs its own group, if that begins; of another group the first one does.
        """
        sleeping = []
        while self._free and self._queue:
            group = next_group(self._queue, monotonic(), self._rules)
            if not group:
                break
            for waiter in group:
                waiter.state = _State.TAKEN
            self._queue = [waiter for waiter in self._queue if waiter.state is _State.WAITING]
            self._free -= 1
            self._extra += len(group) - 1
            if awake is not None and awake.state is _State.TAKEN and awake in group:
                awake.group = group
            else:
                group[0].group = group
                sleeping.append(group[0])
        return sleeping

    def _wait(self, waiter: _Waiter[I, A], caller: Caller) -> None:
        """Wait until the request has an outcome, or a group to run; raises where neither will come."""
        assert waiter.woken is not None  # noqa: S101 - set by whoever lets it wait
        if not caller.add_callback(lambda: self._go(waiter)):
            self._go(waiter)
        patience_s = caller.time_remaining()
        ends_s = waiter.since_s + min(patience_s, self._queue_timeout_s)
        if not waiter.delays:
            ends_s = min(ends_s, waiter.until_s)
        due_s = waiter.since_s + self._rules.delay_s if self._rules.delay_s else inf
        while not waiter.woken.wait(min(max(0.0, min(ends_s, due_s) - monotonic()), FOREVER_S)):
            now_s = monotonic()
            with self._lock:
                if waiter.state is not _State.WAITING:
                    ends_s = due_s = inf  # it has begun
                    continue
                if now_s >= ends_s:
                    starting = self._leave(waiter)
                else:
                    due_s = inf
                    starting = self._start(waiter)
            _wake(starting)
            if now_s >= ends_s:
                raise self._late(waiter, now_s, patience_s)
            if waiter.group:
                return
        if waiter.state is _State.GONE:
            raise Cancelled(f"{self._owner}: the caller went away while the request was waiting")

    def _late(self, waiter: _Waiter[I, A], now_s: float, patience_s: float) -> OVServeError:
        if not waiter.delays and now_s >= waiter.until_s:
            return NoTurn(
                f"{self._owner}: no turn came within {waiter.until_s - waiter.since_s:g} s, as long as "
                f"the queue policy of config.pbtxt allows"
            )
        if patience_s <= self._queue_timeout_s:
            return DeadlineExceeded(f"{self._owner}: the deadline passed while the request was waiting for its turn")
        return Overloaded(
            f"{self._owner}: no turn came within {self._queue_timeout_s:g} s, as long as queue_timeout allows"
        )

    def _go(self, waiter: _Waiter[I, A]) -> None:
        """Have a request leave whose caller has gone."""
        with self._lock:
            if waiter.state is not _State.WAITING:
                return
            starting = self._leave(waiter)
        _wake(starting)
        if waiter.woken is not None:
            waiter.woken.set()

    def _leave(self, waiter: _Waiter[I, A]) -> "list[_Waiter[I, A]]":
        """Take a request out of the queue, and begin what that lets begin; the lock is held."""
        waiter.state = _State.GONE
        self._queue.remove(waiter)
        if self._rules.keeps_order:
            self._release([waiter])
        return self._start()

    def _run_group(self, group: "list[_Waiter[I, A]]", run: Run[I, A]) -> None:
        """Run a group, tell each its outcome, and begin what can begin now."""
        outcomes: Sequence[A | OVServeError] = ()
        try:
            outcomes = run([waiter.item for waiter in group])
        finally:
            # After a fault of ours, which this thread's own request tells of, the others must not wait for ever.
            missing = (OVServeError("internal error while a group of requests ran") for _ in group)
            for waiter, outcome in zip(group, chain(outcomes, missing), strict=False):
                waiter.outcome = outcome
                del waiter.item  # the caller may remember the waiter for longer than tensors should stay
            with self._lock:
                self._free += 1
                self._extra -= len(group) - 1
                starting = self._start()
                if self._rules.keeps_order:
                    self._release(group)
            _wake(starting)
            _wake(group)

    def _release(self, group: "Sequence[_Waiter[I, A]]") -> None:
        """Let the answers leave that nothing before them is missing of; the lock is held."""
        for waiter in group:
            waiter.is_done = True
        while self._order and self._order[0].is_done:
            released = self._order.popleft().released
            if released is not None:
                released.set()


def _wake(waiters: "Sequence[_Waiter[I, A]]") -> None:
    for waiter in waiters:
        if waiter.woken is not None:
            waiter.woken.set()


def _answer(waiter: _Waiter[I, A]) -> A:
    outcome, waiter.outcome = waiter.outcome, None
    if isinstance(outcome, OVServeError):
        raise outcome
    assert outcome is not None  # noqa: S101 - there is one after a run
    return outcome
