"""The threads that look after connections, and answer calls: leader and followers.

One thread waits for what comes; with a call to answer it lets another wait and answers itself, so that a call is not
handed from one thread to the next. So many calls that none would be left to wait are handed to other threads.
"""

import os
import select
import threading
from collections.abc import Callable
from time import perf_counter

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.connection import Connection, Gone, Works
from ovserve.http2.methods import Work
from ovserve.http2.turn import Turns, is_quick, note_pace
from ovserve.observability.logs import get_logger

_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT
_MOST_THREADS = 16

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
        self._waiting = 0
        self._started = 0
        self.others = HandlerThreads("grpc-answer")
        self._turns = Turns(self.others)

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

    def _start_one(self) -> None:
        self._started += 1
        threading.Thread(target=self._work, name=f"grpc_{self._started}", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._waiting += 1
            events = self._epoll.poll(maxevents=1)
            with self._lock:
                self._waiting -= 1
                if self._is_stopped:
                    self._started -= 1
                    if not self._started:
                        self._close()
                    return
            for fileno, mask in events:
                try:
                    self._look_after(fileno, mask)
                except Exception:
                    logger.exception("a connection ended with an internal error")

    def have_one_wait(self) -> bool:
        """See to it that another thread waits for what comes; False where there can be none."""
        with self._lock:
            if self._waiting or self._is_stopped:
                return True
            if self._started < _MOST_THREADS:
                self._start_one()
                return True
            return False

    def _look_after(self, fileno: int, mask: int) -> None:
        connection = self._connections.get(fileno)
        if connection is None:
            accept = self._listeners.get(fileno)
            if accept is not None:
                accept()
            return
        if not connection.begin_reading():
            return
        works: Works = []
        try:
            if mask & select.EPOLLOUT:
                connection.outbox.flush()
            if mask & ~select.EPOLLOUT:
                works = connection.receive()
        except Gone:
            self._end(connection)
            return
        except BaseException:
            self._end(connection)
            raise
        if works and is_quick(connection, works) and self.have_one_wait():
            works = self._turns.take(connection, works)
        else:
            connection.done_reading()
        if works:
            self._do(connection, works)

    def _do(self, connection: Connection, works: Works) -> None:
        later: Work | None = None
        for method, work in works:
            if method.threads is None:
                work()
            elif method.threads is not self.others:
                method.threads.submit(work)
            else:
                if later is not None:
                    self.others.submit(later)
                later = work  # the last one: those before it are to begin before it
        if later is None:
            return
        if self.have_one_wait():
            begun = perf_counter()
            later()
            note_pace(connection, perf_counter() - begun)
        else:
            self.others.submit(later)

    def _end(self, connection: Connection) -> None:
        fileno = connection.wire.fileno()
        connection.abandon()
        with connection.lock:
            self._connections.pop(fileno, None)
            self._epoll.unregister(fileno)
            connection.wire.close()
        self._ended(connection)
