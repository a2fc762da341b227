"""A caller who is told when the one who waits for the answer leaves."""

import threading
from collections.abc import Callable
from math import inf


class LeavingCaller:
    """A `Caller` without a deadline, as long as nobody says that he has left."""

    def __init__(self) -> None:
        self._gone = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def time_remaining(self) -> float:
        return inf

    def add_callback(self, callback: Callable[[], None]) -> bool:
        with self._lock:
            if not self._gone:
                self._callbacks.append(callback)
            return not self._gone

    def leave(self) -> None:
        with self._lock:
            self._gone = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
