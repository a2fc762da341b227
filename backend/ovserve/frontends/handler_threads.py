"""The threads in which frontends answer inference requests."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from ovserve.dataplane import DataPlane
from ovserve.observability.logs import get_logger
from ovserve.serving.registry import Registry

_Call = tuple[Callable[..., Any], tuple[Any, ...]]

# Requests beyond what the models admit need a thread too, for the moment it takes to refuse them.
_SPARE_THREADS = 16

logger = get_logger("ovserve.frontends")


def threads_for(dataplane: DataPlane, registry: Registry) -> int:
    """Count the threads that a frontend needs: requests that wait for their turn or for a load hold theirs."""
    models = [model for entry in registry.entries.values() for model in entry.available.values()]
    return dataplane.most_waiting_for_loads + sum(model.admitted_at_once for model in models) + _SPARE_THREADS


class HandlerThreads(ThreadPoolExecutor):
    """Threads started as calls need them, up to a number that can be raised at any time.

    A ThreadPoolExecutor because gRPC takes nothing else. It wants a future from `submit` only to count calls against
    `maximum_concurrent_rpcs`, which we do not set, and a request without one costs less CPU. And the standard library's
    count of idle threads can be too high for a moment, in which a call waits behind a slow one although there is room
    for another thread.
    """

    def __init__(self, name: str) -> None:
        super().__init__(1)
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

    def submit(self, function: Callable[..., Any], /, *args: Any) -> None:  # type: ignore[override]
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
