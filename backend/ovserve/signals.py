"""What wakes the server's main thread."""

import signal
import socket
from enum import Enum, auto
from types import TracebackType
from typing import Self


class Event(Enum):
    LOADED = auto()
    RELOAD = auto()
    STOP = auto()


class Events:
    """The end of loading, SIGTERM, SIGINT, SIGHUP; a second SIGINT ends the process at once.

    Signals come through `signal.set_wakeup_fd`, as bytes on a socket: one that arrives just before the main thread goes
    to sleep on a lock would be noticed only when something else wakes it.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    _LOADED = 0

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)  # noqa: FBT003 - as set_wakeup_fd demands
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno())
        self._former = {number: signal.signal(number, lambda *_: None) for number in self._SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        self._reader.close()
        self._writer.close()

    def put_loaded(self) -> None:
        self._writer.send(bytes([self._LOADED]))

    def get(self) -> Event:
        """Wait for the next event."""
        number = self._reader.recv(1)[0]
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
        return {self._LOADED: Event.LOADED, signal.SIGHUP: Event.RELOAD}.get(number, Event.STOP)
