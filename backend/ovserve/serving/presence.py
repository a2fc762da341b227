"""Whether the one who asked is still there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ovserve.requests import Caller


class Presence:
    """Remembers that a caller has gone; itself a `Caller`, and one for each of those who ask on his behalf.

    At the end of what he asked for, `leave` sends all of them away.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._gone = False
        self._callbacks: dict[object, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()
        if not caller.add_callback(self.leave):
            self.leave()

    def is_gone(self) -> bool:
        return self._gone or self._caller.time_remaining() <= 0

    def time_remaining(self) -> float:
        return self._caller.time_remaining()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self.watch(self, callback)

    def watch(self, who: object, callback: Callable[[], None]) -> bool:
        with self._lock:
            if not self._gone:
                self._callbacks.setdefault(who, []).append(callback)
            return not self._gone

    @contextmanager
    def part(self) -> Iterator[Caller]:
        """Make a caller whose callbacks are forgotten at the end of the `with` block."""
        part = _Part(self)
        try:
            yield part
        finally:
            with self._lock:
                self._callbacks.pop(part, None)

    def leave(self) -> None:
        with self._lock:
            self._gone = True
            callbacks = [callback for each in self._callbacks.values() for callback in each]
            self._callbacks.clear()
        for callback in callbacks:
            callback()


class _Part:
    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self.time_remaining = presence.time_remaining

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self._presence.watch(self, callback)
