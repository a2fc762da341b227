"""Several calls of one connection, done one after the other by the thread that read them, their answers sent together.

For calls that are quick and many, this is what costs least: no hand-over, one system call, and meanwhile more of them
arrive. How long a call takes is only known from those before it. So turns are watched: one that takes too long is
broken up, and what is left of it, the connection and its answers go on without the call that holds it up.
"""

import threading
from collections import deque
from time import perf_counter, sleep

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.connection import Connection, Works
from ovserve.observability.logs import get_logger

# Calls of a connection whose last ones took no longer are done in turns,
_QUICK_S = 0.0005
# of about so long.
_TURN_S = 0.001
# One that takes so long is broken up, as soon as that is seen.
_LONG_S = 0.003
_LOOK_S = 0.002
_LOOKS = 25  # without a turn, before nobody looks any more
# Calls further apart than this are few: for them no turns are watched.
_APART_S = 0.01
_SLOW_S = 8 * _QUICK_S  # a slower call counts no more than this against those that follow

logger = get_logger("ovserve.grpc")


class Turn:
    """What is being done for one connection, which is not read meanwhile."""

    def __init__(self, connection: Connection, works: Works) -> None:
        self._connection = connection
        self._works = deque(works)
        self._lock = threading.Lock()
        self._is_broken = False
        self.begun = perf_counter()

    def take(self, others: HandlerThreads) -> Works:
        """Do what there is time for, and return what is left; nothing where the turn was broken up."""
        connection = self._connection
        connection.outbox.collect()
        done = 0
        while True:
            with self._lock:
                if self._is_broken:
                    return []
                if not self._works or perf_counter() - self.begun > _TURN_S:
                    break
                method, work = self._works.popleft()
            done += 1
            if method.threads is not None and method.threads is not others:
                method.threads.submit(work)
                continue
            try:
                work()
            except Exception:
                logger.exception("a call ended with an internal error")
        with self._lock:
            if self._is_broken:
                return []
            self._is_broken = True  # by its end
        note_pace(connection, (perf_counter() - self.begun) / max(1, done))
        connection.outbox.send_collected()
        connection.done_reading()
        return list(self._works)

    def break_up(self, others: HandlerThreads) -> None:
        """Let everything but the call that is being answered go on."""
        with self._lock:
            if self._is_broken:
                return
            self._is_broken = True
        note_pace(self._connection, _SLOW_S)
        self._connection.outbox.send_collected()
        self._connection.done_reading()
        for method, work in self._works:
            (method.threads or others).submit(work)


class Turns:
    """The turns that are being taken."""

    def __init__(self, others: HandlerThreads) -> None:
        self._others = others
        self._taken: dict[int, Turn] = {}  # by thread
        self._begun = 0
        self._is_watched = False
        self._lock = threading.Lock()

    def take(self, connection: Connection, works: Works) -> Works:
        """Do what there is time for, let the connection be read again, and return what is left to do."""
        thread = threading.get_ident()
        turn = Turn(connection, works)
        self._taken[thread] = turn
        self._begun += 1
        if not self._is_watched:
            self._have_watched()
        try:
            return turn.take(self._others)
        finally:
            del self._taken[thread]

    def _have_watched(self) -> None:
        with self._lock:
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, name="grpc-turns", daemon=True).start()

    def _watch(self) -> None:
        seen, idle = -1, 0
        while idle < _LOOKS:
            sleep(_LOOK_S)
            idle = idle + 1 if seen == self._begun and not self._taken else 0
            seen = self._begun
            for turn in list(self._taken.values()):
                if perf_counter() - turn.begun > _LONG_S:
                    turn.break_up(self._others)
        with self._lock:
            self._is_watched = False


def is_quick(connection: Connection, works: Works) -> bool:
    """Tell whether a turn is worth while: several calls, or those of a stream, of which more may come."""
    if connection.pace_s > _QUICK_S or perf_counter() - connection.paced > _APART_S:
        return False
    return len(works) > 1 or works[0][0].is_stream


def note_pace(connection: Connection, seconds: float) -> None:
    """Know how long a call took."""
    connection.paced = perf_counter()
    connection.pace_s = (3 * min(connection.pace_s, _SLOW_S) + min(seconds, _SLOW_S)) / 4
