"""The threads that look after connections, and answer calls: leader and followers.

One thread leads: it waits for what comes. With a call to answer it lets another lead and answers the call itself, so
that a call is not handed from one thread to the next. Quick calls it answers while it leads: threads that run at the
same time cost more than they win there. So many calls that none would be left to lead are handed to other threads.

Where calls are long, a thread that has answered one stands by: it waits for what comes too. So the next leader that has
such a call need wake nobody to lead. Where calls are short, it would be woken while the leader answers the last one.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.connection import Connection, Gone, Works
from ovserve.http2.methods import Work
from ovserve.http2.turn import Turns, is_quick, note_pace
from ovserve.observability.logs import get_logger

_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
_MOST_THREADS = 16
_MOST_FOLLOWERS = 8
_EVENTS = 16
_LONG_S = 0.001  # of a call, so that a thread stands by

logger = get_logger("ovserve.grpc")


class Pollers:
    """Looks after the connections added, and calls `accept` when a listening socket has one to give."""

    def __init__(self, ended: Callable[[Connection], None]) -> None:
        self._ended = ended
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._listeners: dict[int, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._is_stopped = False
        self._wake = -1
        self._lead = threading.Lock()  # held for whoever leads
        self._leader = 0
        self._is_leader_waiting = False
        self._standby = 0  # the thread that waits beside the leader
        self._are_calls_long = False
        self._ready: deque[tuple[int, int]] = deque()  # what came and has not been looked after; the leader's
        self._following = 0
        self._started = 0
        self._names = 0
        self.others = HandlerThreads("grpc-answer")
        self._turns = Turns(self.others, partial(self.let_lead, anyhow=True))

    def allow(self, count: int) -> None:
        """Let `count` calls be answered at the same time."""
        self.others.allow(count)

    def start(self) -> None:
        with self._lock:
            if not self._started:
                self._start_one()

    def stop(self) -> None:
        """End the threads; after the last connection has ended."""
        with self._lock:
            if self._is_stopped:
                return
            self._is_stopped = True
            self._wake = os.eventfd(1)
            self._epoll.register(self._wake, select.EPOLLIN)  # and each thread that waits is told
            if not self._started:
                self._close()

    def _close(self) -> None:
        self._epoll.close()
        os.close(self._wake)

    def listen(self, fileno: int, accept: Callable[[], None]) -> None:
        self._listeners[fileno] = accept
        self._epoll.register(fileno, select.EPOLLIN | select.EPOLLONESHOT)

    def listen_again(self, fileno: int) -> None:
        self._epoll.modify(fileno, select.EPOLLIN | select.EPOLLONESHOT)

    def forget_listener(self, fileno: int) -> None:
        if self._listeners.pop(fileno, None) is not None:
            self._epoll.unregister(fileno)

    def add(self, connection: Connection) -> None:
        fileno = connection.wire.fileno()
        self._connections[fileno] = connection
        self._epoll.register(fileno, 0)

    def arm(self, connection: Connection, *, to_write: bool) -> None:
        """Have a connection looked after; under its lock."""
        self._epoll.modify(connection.wire.fileno(), _READ | select.EPOLLOUT if to_write else _READ)

    # Leading: one thread waits for what comes, another stands by, the others wait to lead

    def _work(self) -> None:
        me = threading.get_ident()
        while True:
            if not self._stands_by(me):
                self._lead.acquire()
                with self._lock:
                    self._following -= 1
                    self._leader = me
            while self._leader == me and not self._is_stopped:
                self._look_after_next(me)
            with self._lock:
                leads = self._leader == me
                ends = self._is_stopped or self._following >= _MOST_FOLLOWERS
                self._started -= ends
                self._following += not ends
                closes = self._is_stopped and not self._started
            if leads:
                self._lead.release()
            if closes:
                self._close()
            if ends:
                return

    def _stands_by(self, me: int) -> bool:
        """Wait for what comes beside the leader, if that is of use; tell whether this thread leads afterwards."""
        with self._lock:
            if self._standby or not self._leader or self._is_stopped or not self._are_calls_long:
                return False
            self._standby = me
            self._following -= 1
        self._poll(me)
        with self._lock:
            leads = self._leader == me
            self._following += not leads
        return leads

    def _poll(self, me: int) -> None:
        """Wait for what comes. Whoever is woken leads, unless the leader is busy: that one will look after it."""
        events = self._epoll.poll(maxevents=_EVENTS)
        with self._lock:
            if self._standby == me:
                self._standby = 0
                if self._is_leader_waiting:
                    self._standby, self._leader = self._leader, me
            if self._leader == me:
                self._is_leader_waiting = False
            self._ready.extend(events)

    def _look_after_next(self, me: int) -> None:
        with self._lock:
            self._is_leader_waiting = waits = not self._ready
        if waits:
            self._poll(me)
            return
        try:
            self._look_after(*self._ready.popleft())
        except Exception:
            logger.exception("a connection ended with an internal error")

    def let_lead(self, thread: int = 0, *, anyhow: bool = False) -> bool:
        """Have another thread lead, if this one does, or the one named.

        False where there are too many threads for that, unless it has to be (`anyhow`).
        """
        with self._lock:
            if self._leader != (thread or threading.get_ident()):
                return True
            if self._standby and not self._ready:  # it waits, and would not see what is ready
                self._leader, self._standby = self._standby, 0
                self._is_leader_waiting = True
                return True
            if not self._following:
                if self._started >= _MOST_THREADS and not anyhow:
                    return False
                self._start_one()
            self._leader = 0
        self._lead.release()
        return True

    def _start_one(self) -> None:
        self._started += 1
        self._following += 1
        self._names += 1
        threading.Thread(target=self._work, name=f"grpc_{self._names}", daemon=True).start()

    def _look_after(self, fileno: int, mask: int) -> None:
        connection = self._connections.get(fileno)
        if connection is None:
            accept = self._listeners.get(fileno)
            if accept is not None:
                accept()
            return
        if not connection.begin_reading():
            return
        works = self._read(connection, mask)
        if works is None:
            return
        if works and is_quick(connection) and self._leader == threading.get_ident():
            self._turns.take(connection, works)
            return
        connection.done_reading()
        self._do(connection, works)

    def _read(self, connection: Connection, mask: int) -> Works | None:
        """Read what is there, and return what is to be done about it; None where the connection has ended."""
        try:
            if mask & select.EPOLLOUT:
                connection.outbox.flush()
            return connection.receive() if mask & ~select.EPOLLOUT else []
        except Gone:
            self._end(connection)
            return None
        except BaseException:
            self._end(connection)
            raise

    def _do(self, connection: Connection, works: Works) -> None:
        """Do what may take its time."""
        last: Work | None = None
        for method, work in works:
            if method.threads is None:
                work()
            elif method.threads is not self.others:
                method.threads.submit(work)
            else:
                if last is not None:
                    self.others.submit(last)
                last = work  # those before it are to begin before it
        if last is None:
            return
        if self.let_lead():
            begun = perf_counter()
            last()
            took_s = perf_counter() - begun
            note_pace(connection, took_s)
            self._are_calls_long = took_s >= _LONG_S
        else:
            self.others.submit(last)

    def _end(self, connection: Connection) -> None:
        fileno = connection.wire.fileno()
        connection.abandon()
        with connection.lock:
            self._connections.pop(fileno, None)
            self._epoll.unregister(fileno)
            connection.wire.close()
        self._ended(connection)
