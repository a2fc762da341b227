"""The two kinds of sockets, in non-blocking use: with TLS and without."""

import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

_PIECE_BYTES = 1 << 16
_MOST_PIECES = 512  # of one system call; Linux takes up to 1024
_JOINED_BYTES = 1 << 14  # up to here one piece is cheaper than several
_TLS_BYTES = 1 << 18  # what is encrypted at once


class Wire(Protocol):
    """A connected socket. What cannot be done now is tried again when the socket is ready."""

    def fileno(self) -> int: ...

    def receive(self) -> bytes | None:
        """Return what is there, b"" at the end and None where nothing is there; raises `OSError`."""
        ...

    def receive_into(self, room: memoryview) -> int | None:
        """Put what is there into `room`, and say how much; 0 at the end, None where nothing is; raises `OSError`."""
        ...

    def send(self, pieces: Sequence[Buffer]) -> list[Buffer]:
        """Send what can be sent, and return the rest; raises `OSError`."""
        ...

    @property
    def holds_more(self) -> bool:
        """Whether something was received from the system that has not been asked for."""
        ...

    def say_no_more(self) -> None:
        """End it for what we send."""
        ...

    def shut(self) -> None:
        """End it for both sides; whoever waits for it is told."""
        ...

    def close(self) -> None: ...


class PlainWire:
    """Without TLS."""

    __slots__ = ("_socket",)

    holds_more = False

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)  # noqa: FBT003 - the only way to say it
        self._socket = connected

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        try:
            return self._socket.recv(_PIECE_BYTES)
        except (BlockingIOError, InterruptedError):
            return None

    def receive_into(self, room: memoryview) -> int | None:
        try:
            return self._socket.recv_into(room)
        except (BlockingIOError, InterruptedError):
            return None

    def send(self, pieces: Sequence[Buffer]) -> list[Buffer]:
        rest = list(pieces)
        try:
            while rest:
                batch = rest[:_MOST_PIECES]
                if len(batch) > 1 and sum(map(len, batch)) <= _JOINED_BYTES:
                    rest[: len(batch)] = batch = [b"".join(batch)]
                count = self._socket.send(batch[0]) if len(batch) == 1 else self._socket.sendmsg(batch)
                rest = _after(rest, count)
        except (BlockingIOError, InterruptedError):
            pass
        return rest

    def say_no_more(self) -> None:
        _shut(self._socket, socket.SHUT_WR)

    def shut(self) -> None:
        _shut(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class TlsWire:
    """With TLS. One thread at a time is inside, as OpenSSL demands."""

    __slots__ = ("_is_greeted", "_lock", "_socket")

    def __init__(self, connected: socket.socket, context: ssl.SSLContext) -> None:
        connected.setblocking(False)  # noqa: FBT003 - the only way to say it
        self._socket = context.wrap_socket(connected, server_side=True, do_handshake_on_connect=False)
        self._is_greeted = False
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        with self._lock:
            try:
                self._greet()
                return self._socket.recv(_PIECE_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None
            except ssl.SSLEOFError:
                return b""

    def receive_into(self, room: memoryview) -> int | None:
        with self._lock:
            try:
                return self._socket.recv_into(room)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None
            except ssl.SSLEOFError:
                return 0

    def send(self, pieces: Sequence[Buffer]) -> list[Buffer]:
        rest = list(pieces)
        with self._lock:
            try:
                self._greet()
                while rest:
                    # OpenSSL wants what it could not send again as it was: such a piece is never joined to others.
                    count = 1 if len(rest[0]) >= _TLS_BYTES else _few(rest)
                    joined = memoryview(b"".join(rest[:count]) if count > 1 else rest[0])
                    rest[:count] = [joined]
                    sent = self._socket.send(joined[:_TLS_BYTES])
                    rest = _after(rest, sent)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        return rest

    @property
    def holds_more(self) -> bool:
        with self._lock:
            return self._is_greeted and self._socket.pending() > 0

    def say_no_more(self) -> None:
        _shut(self._socket, socket.SHUT_WR)

    def shut(self) -> None:
        _shut(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _greet(self) -> None:
        if not self._is_greeted:
            self._socket.do_handshake()
            self._is_greeted = True


def _few(pieces: list[Buffer]) -> int:
    """Count the first pieces that together are no more than is encrypted at once, one at least."""
    size = count = 0
    for piece in pieces:
        size += len(piece)
        if count and size > _TLS_BYTES:
            break
        count += 1
    return count


def _after(pieces: list[Buffer], count: int) -> list[Buffer]:
    """Leave out the first `count` bytes."""
    for index, piece in enumerate(pieces):
        if count < len(piece):
            return [memoryview(piece)[count:], *pieces[index + 1 :]] if count else pieces[index:]
        count -= len(piece)
    return []


def _shut(connected: socket.socket, how: int) -> None:
    with suppress(OSError):  # it has ended already
        socket.socket.shutdown(connected, how)
