"""Signals, and what of them wakes the server's main thread."""

import signal
import socket
import threading
from collections.abc import Callable, Mapping
from enum import Enum, auto
from itertools import groupby
from queue import SimpleQueue
from types import TracebackType
from typing import Self

_MOST_AT_ONCE = 4096


class Signals:
    """Calls a handler for each signal that comes, in a thread of its own; several at once of a kind may count as one.

    They come through `signal.set_wakeup_fd`, as bytes on a socket: one that arrives just before the main thread goes to
    sleep on a lock would be noticed only when something else wakes it.
    """

    def __init__(self, handlers: Mapping[int, Callable[[], None]]) -> None:
        self._handlers = handlers
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)  # noqa: FBT003 - as set_wakeup_fd demands
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._former = {number: signal.signal(number, lambda *_: None) for number in self._handlers}
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        self._writer.close()
        self._thread.join()
        self._reader.close()

    def _listen(self) -> None:
        while numbers := self._reader.recv(_MOST_AT_ONCE):
            for number, _ in groupby(numbers):
                if number in self._handlers:  # others may have asked Python for others
                    self._handlers[number]()


class Event(Enum):
    LOADED = auto()
    RELOAD = auto()
    STOP = auto()
    INTERRUPT = auto()


class Events:
    """The end of loading, SIGTERM, SIGINT, SIGHUP; a second SIGINT ends the process at once."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()
        self.handlers: Mapping[int, Callable[[], None]] = {
            signal.SIGTERM: lambda: self._events.put(Event.STOP),
            signal.SIGINT: lambda: self._events.put(Event.INTERRUPT),
            signal.SIGHUP: lambda: self._events.put(Event.RELOAD),
        }

    def put_loaded(self) -> None:
        self._events.put(Event.LOADED)

    def get(self) -> Event:
        """Wait for the next event."""
        event = self._events.get()
        if event is Event.INTERRUPT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            return Event.STOP
        return event
