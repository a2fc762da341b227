"""Quick calls of one connection, answered one after the other by the thread that leads, their answers sent together.

This is what costs least: no other thread is woken, and meanwhile more calls arrive, to be read at once. How long a call
takes is only known from those before it. So turns are watched: one that takes too long is broken up, and another thread
leads, the connection is read, its answers leave, and its other calls are answered, without the call that holds it up.
"""

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter, sleep

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.connection import Connection, Works
from ovserve.http2.methods import Work
from ovserve.observability.logs import get_logger

# Calls of a connection of which the quickest ones took no longer of late are answered in turns,
_QUICK_S = 0.0003
# of about so long: what a stream may have in flight fits.
_TURN_S = 0.002
# One that takes so long is broken up, as soon as that is seen.
_LONG_S = 0.003
_LOOK_S = 0.002
_LOOKS = 25  # without a turn, before nobody looks any more
_SLOW_S = 1.0
# Calls further apart than this are few: for them no turns are watched.
_APART_S = 0.01
# Calls that took no longer may be quick ones, made slow by each other in threads of their own: a turn tells,
_PERHAPS_S = 0.002
# tried as seldom.
_TRY_S = 0.02
_FORGETTING = 1.3  # with which each call makes quick ones that were before it count for less

logger = get_logger("ovserve.grpc")


class Turn:
    """What is being done for one connection, which is not read meanwhile."""

    def __init__(self, connection: Connection, works: Works) -> None:
        self._connection = connection
        self._works = deque(works)
        self._lock = threading.Lock()
        self._is_over = False
        connection.outbox.collect()
        self._thread = threading.get_ident()
        self.begun = perf_counter()

    def take(self, others: HandlerThreads) -> None:
        """Do what there is time for, and hand the rest to others."""
        connection = self._connection
        done = 0
        while (work := self._next(others)) is not None:
            done += 1
            try:
                work()
            except Exception:
                logger.exception("a call ended with an internal error")
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        note_pace(connection, (perf_counter() - self.begun) / max(1, done))
        self._leave(others)

    def break_up(self, others: HandlerThreads, let_lead: Callable[[int], object]) -> bool:
        """Let everything but the call that is being answered go on; False where the turn is over.

        The thread that takes the turn finds itself led when it comes back, and no sooner: two that lead would leave to
        each other what has come.
        """
        with self._lock:
            if self._is_over:
                return False
            self._is_over = True
            self._connection.pace_s = _SLOW_S
            self._leave(others)
            let_lead(self._thread)
        return True

    def _next(self, others: HandlerThreads) -> Work | None:
        """Take what is to be done next, if there is time for it."""
        with self._lock:
            while self._works and not self._is_over and perf_counter() - self.begun < _TURN_S:
                method, work = self._works.popleft()
                if method.threads is None or method.threads is others:
                    return work
                method.threads.submit(work)
        return None

    def _leave(self, others: HandlerThreads) -> None:
        self._connection.outbox.send_collected()
        self._connection.done_reading()
        for method, work in self._works:
            (method.threads or others).submit(work)


class Turns:
    """The turns that are taken; `let_lead` has another thread lead where this one does."""

    def __init__(self, others: HandlerThreads, let_lead: Callable[[int], object]) -> None:
        self._others = others
        self._let_lead = let_lead
        self._turn: Turn | None = None
        self._begun = 0
        self._is_watched = False
        self._lock = threading.Lock()

    def take(self, connection: Connection, works: Works) -> None:
        """Take a turn; where it was broken up, another thread leads afterwards."""
        self._turn = turn = Turn(connection, works)
        self._begun += 1
        if not self._is_watched:
            self._have_watched()
        turn.take(self._others)

    def _have_watched(self) -> None:
        with self._lock:
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, name="grpc-turns", daemon=True).start()

    def _watch(self) -> None:
        idle, seen = 0, 0
        while idle < _LOOKS or not self._may_end(seen):
            seen, turn = self._begun, self._turn
            sleep(_LOOK_S)
            if turn is not None and perf_counter() - turn.begun > _LONG_S:
                turn.break_up(self._others, self._let_lead)
            idle = idle + 1 if seen == self._begun else 0

    def _may_end(self, seen: int) -> bool:
        """Tell whether nobody need watch; a turn that begins at this moment sees that, or is seen."""
        with self._lock:
            self._is_watched = False
            if seen == self._begun:
                return True
            self._is_watched = True
            return False


def is_quick(connection: Connection) -> bool:
    """Tell whether its calls were quick of late, and many; now and then say so of those that perhaps are, to find out.

    Without that, calls that came to run side by side, since a turn was broken up once, would do so from then on.
    """
    now = perf_counter()
    if now - connection.paced >= _APART_S:
        return False
    if connection.pace_s < _QUICK_S:
        return True
    if connection.pace_s >= _PERHAPS_S or now - connection.tried < _TRY_S:
        return False
    connection.tried = now
    return True


def note_pace(connection: Connection, seconds: float) -> None:
    """Know how long a call took. The quickest count: threads that run at the same time make some slow that are not."""
    connection.paced = perf_counter()
    connection.pace_s = min(seconds, connection.pace_s * _FORGETTING)
