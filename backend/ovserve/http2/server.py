"""A gRPC server: it listens, and looks after its connections."""

import errno
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.connection import Connection
from ovserve.http2.head import Head
from ovserve.http2.limits import Limits
from ovserve.http2.methods import Check, Method
from ovserve.http2.pollers import Pollers
from ovserve.http2.wire import PlainWire, TlsWire
from ovserve.observability.logs import get_logger

_BACKLOG = 1024
_ACCEPTED_AT_ONCE = 16
_MOST_TICK_S = 1.0
_LEAST_TICK_S = 0.02
_FAREWELL_S = 1.0  # for a client that broke the rules to read so

logger = get_logger("ovserve.grpc")


class Server:
    """Answers `methods`, by path; `check` looks at each call first; `context` is asked for TLS of each connection."""

    def __init__(
        self,
        limits: Limits,
        check: Check | None = None,
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.limits = limits
        self._check = check
        self._context = context
        self._methods: dict[str, Method] = {}
        self._pollers = Pollers(self._ended)
        self._listening: list[socket.socket] = []
        self._paused: list[socket.socket] = []  # that had no file left for who came; the sweep tries again
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._is_closed = False
        self._stopped = threading.Event()
        self._hand: Callable[[socket.socket], None] = self._take
        self._closed: Callable[[], None] = lambda: None

    @property
    def threads(self) -> HandlerThreads:
        """Where calls are answered that may take their time."""
        return self._pollers.others

    def add(self, methods: Mapping[str, Method]) -> None:
        """Answer more; before the start."""
        self._methods.update(methods)

    def allow(self, count: int) -> None:
        """Let `count` calls that take their time be answered at once, or as many as were allowed before."""
        self._pollers.allow(count)

    def listen(self, address: str, port: int) -> int:
        """Take a port, and return its number; raises `OSError`."""
        family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        listening.setblocking(False)  # noqa: FBT003 - the only way to say it
        self._listening.append(listening)
        number: int = listening.getsockname()[1]
        return number

    def start(self) -> None:
        """Let clients in."""
        for listening in self._listening:
            self._pollers.listen(listening.fileno(), partial(self._accept, listening))
        self._pollers.start()
        threading.Thread(target=self._sweep, name="grpc-sweep", daemon=True).start()

    def hand_over(self, hand: Callable[[socket.socket], None]) -> None:
        """Have `hand` look after each socket that is accepted, or give it to whoever does; before the start."""
        self._hand = hand

    def on_closed(self, closed: Callable[[], None]) -> None:
        """Call `closed` when a connection that was looked after has ended; before the start."""
        self._closed = closed

    def adopt(self, connected: socket.socket) -> None:
        """Look after a socket that was accepted."""
        peer = _name(connected)
        try:
            if connected.family != socket.AF_UNIX:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = PlainWire(connected) if self._context is None else TlsWire(connected, self._context())
        except OSError:
            connected.close()  # it has ended already
            self._closed()
            return
        connection = Connection(wire, peer, self)
        with self._lock:
            if self._is_closed:
                wire.close()
                self._closed()
                return
            self._connections.add(connection)
        self._pollers.add(connection)
        connection.done_reading()

    def stop(self, grace_s: float) -> None:
        """Let nobody in, refuse new calls, and return when those in flight have ended, after `grace_s` at most."""
        with self._lock:
            self._is_closed = True
        listening, self._listening = self._listening, []
        for each in listening:
            self._pollers.forget_listener(each.fileno())
            each.close()
        for connection in self._all():
            connection.leave()
        self._wait(self._is_quiet, grace_s)
        self._stopped.set()
        for connection in self._all():
            connection.end_calls()
            connection.wire.say_no_more()
        self._wait(self._is_empty, _FAREWELL_S)
        for connection in self._all():
            connection.wire.shut()
        self._wait(self._is_empty, _FAREWELL_S)
        if not self._all():
            self._pollers.stop()

    def _wait(self, until: Callable[[], bool], most_s: float) -> None:
        last = monotonic() + most_s
        with self._changed:
            while not until() and monotonic() < last:
                self._changed.wait(_LEAST_TICK_S)

    def _is_quiet(self) -> bool:
        return all(connection.is_done for connection in self._connections)

    def _is_empty(self) -> bool:
        return not self._connections

    # What connections ask

    def method(self, path: str) -> Method | None:
        return self._methods.get(path)

    def check(self, head: Head, peer: str) -> None:
        if self._check is not None:
            self._check(head, peer)

    def let_lead(self) -> None:
        self._pollers.let_lead()

    def arm(self, connection: Connection, *, to_write: bool) -> None:
        self._pollers.arm(connection, to_write=to_write)

    def _all(self) -> list[Connection]:
        with self._lock:
            return list(self._connections)

    def _ended(self, connection: Connection) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()
        self._closed()

    def _take(self, connected: socket.socket) -> None:
        if len(self._connections) >= self.limits.connections:
            connected.close()
        else:
            self.adopt(connected)

    def _accept(self, listening: socket.socket) -> None:
        try:
            for _ in range(_ACCEPTED_AT_ONCE):
                connected, _ = listening.accept()
                self._hand(connected)
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass
        except OSError as error:
            if listening.fileno() < 0:
                return
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                logger.warning("no connection can be accepted now", reason=error.strerror)
            self._paused.append(listening)
            return
        self._listen_again(listening)

    def _listen_again(self, listening: socket.socket) -> None:
        with suppress(OSError, ValueError):  # it has been closed
            self._pollers.listen_again(listening.fileno())

    # What takes too long

    def _sweep(self) -> None:
        limits = self.limits
        times = (limits.handshake_s, limits.idle_s, limits.keepalive_s, limits.keepalive_timeout_s, limits.age_s)
        tick_s = max(_LEAST_TICK_S, min(_MOST_TICK_S, *(each / 4 for each in times)))
        while not self._stopped.wait(tick_s):
            while self._paused:
                self._listen_again(self._paused.pop())
            for connection in self._all():
                self._look_at(connection, monotonic())

    def _look_at(self, connection: Connection, now: float) -> None:
        limits = self.limits
        connection.refusals.say_late(now)
        if connection.is_doomed:
            is_over = now - connection.left > _FAREWELL_S
        elif not connection.is_greeted:
            is_over = now - connection.born > limits.handshake_s
        elif connection.is_leaving:
            is_over = connection.is_done or now - connection.left > limits.age_grace_s
        else:
            is_over = connection.pinged is not None and now - connection.pinged > limits.keepalive_timeout_s
            self._see_to(connection, now)
        if is_over:
            connection.wire.shut()

    def _see_to(self, connection: Connection, now: float) -> None:
        limits = self.limits
        silent_s = now - connection.heard
        if not connection.calls and silent_s > limits.idle_s:
            connection.leave(sentence="idle")
        elif now - connection.born > limits.age_s:
            connection.leave(sentence="old")
        elif connection.pinged is None and silent_s > limits.keepalive_s:
            connection.ping()


def _name(connected: socket.socket) -> str:
    """Name the other side as gRPC does."""
    try:
        where = connected.getpeername()
    except OSError:
        return "unknown"
    if connected.family == socket.AF_INET6:
        return f"ipv6:[{where[0]}]:{where[1]}"
    if connected.family == socket.AF_INET:
        return f"ipv4:{where[0]}:{where[1]}"
    return "unix:"
