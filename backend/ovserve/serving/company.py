"""Callers for whom the same work is done."""

import threading
from collections.abc import Callable, Sequence

from ovserve.requests import Caller


class Company:
    """A `Caller` that has gone when all of its callers have."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._callers = callers

    def time_remaining(self) -> float:
        return max(caller.time_remaining() for caller in self._callers)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        left = len(self._callers)
        lock = threading.Lock()

        def leave() -> None:
            nonlocal left
            with lock:
                left -= 1
                is_last = left == 0
            if is_last:
                callback()

        gone = sum(not caller.add_callback(leave) for caller in self._callers)
        with lock:
            left -= gone
            return left > 0 or gone == 0  # of those who went meanwhile the last one has called
