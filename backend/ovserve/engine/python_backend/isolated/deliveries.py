"""What is handed on for one request: one after the other, in a thread that may be kept waiting."""

import threading
from collections import deque
from collections.abc import Callable

from ovserve.engine.crew import Crew


class Deliveries:
    """Does what it is given in that order, never two at a time."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._lock = threading.Lock()
        self._left: deque[Callable[[], object]] = deque()
        self._busy = False

    def add(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._left.append(work)
            if self._busy:
                return
            self._busy = True
        self._crew.run(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._left:
                    self._busy = False
                    return
                work = self._left.popleft()
            work()
            del work
