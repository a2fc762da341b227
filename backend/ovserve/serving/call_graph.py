"""Which models call which, as far as has been seen."""

import threading


class CallGraph:
    """Knows the rings in it: who waits for a model in one of them may wait for himself, for ever.

    An edge is known before anybody waits along it, so of those whose waits would close a ring one knows.
    """

    def __init__(self) -> None:
        self._calls: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def add(self, caller: str, callee: str) -> bool:
        """Take note of a call, and tell whether it is part of a ring."""
        with self._lock:
            self._calls.setdefault(caller, set()).add(callee)
            return self._reaches(callee, caller)

    def _reaches(self, start: str, goal: str) -> bool:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name == goal:
                return True
            if name not in seen:
                seen.add(name)
                waiting += self._calls.get(name, ())
        return False
