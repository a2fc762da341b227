"""Threads for what may have to wait: none is in the way of another, and idle ones are used again."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

_IDLE_S = 10.0


class Crew:
    """As many threads as there is work at once; one that has been idle for ten seconds ends.

    They are daemons: a process that ends waits for none of them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def run(self, work: Callable[[], object]) -> None:
        """Have `work`, which must not raise, done by one of them."""
        with self._lock:
            self._work.put(work)
            if self._idle:
                self._idle -= 1
                return
        threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=_IDLE_S)
            except Empty:
                with self._lock:
                    if self._work.empty():
                        self._idle -= 1
                        return
                continue
            work()
            del work  # it may hold the last reference to a model
            with self._lock:
                self._idle += 1
