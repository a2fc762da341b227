"""The threads in which frontends answer inference requests."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from ovserve.observability.logs import get_logger

_Call = tuple[Callable[..., Any], tuple[Any, ...]]

logger = get_logger("ovserve.frontends")


class HandlerThreads:
    """Threads started as calls need them, up to a number that can be raised at any time.

    Unlike a ThreadPoolExecutor it makes no future of a call, and it counts exactly: the standard library's count of
    idle threads can be too high for a moment, in which a call waits behind a slow one although there is room for
    another thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._most = 0
        self._started = 0
        self._spare = 0  # threads that wait, less the calls that wait for them
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._lock = threading.Lock()

    def allow(self, count: int) -> None:
        """Let there be `count` threads, or as many as were allowed before if that is more."""
        with self._lock:
            self._most = max(self._most, count)

    def submit(self, function: Callable[..., Any], /, *args: Any) -> None:
        """Run `function` in a thread."""
        with self._lock:
            starts = self._spare <= 0 and self._started < self._most
            if starts:
                self._started += 1
                name = f"{self._name}_{self._started}"
            else:
                self._spare -= 1
        self._calls.put((function, args))
        if starts:
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            function, args = self._calls.get()
            try:
                function(*args)
            except Exception:
                logger.exception("a call ended with an internal error")
            del function, args  # or they would hold a message's bytes until the next call
            with self._lock:
                self._spare += 1
