"""How many requests are inside of something, and when the last one has left."""

import threading
from collections.abc import Callable
from types import TracebackType


class InFlight:
    """Counts what goes through its `with` blocks."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self._when_empty: Callable[[], None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._count -= 1
            callback = self._when_empty if self._count == 0 else None
        if callback is not None:
            callback()

    @property
    def count(self) -> int:
        return self._count

    def when_empty(self, callback: Callable[[], None]) -> None:
        """Call back when nothing is inside, perhaps at once; again if something came and went after that."""
        with self._lock:
            self._when_empty = callback
            empty = self._count == 0
        if empty:
            callback()
