"""How many calls were refused for their key."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ovserve.errors import Code

REASONS = (Code.UNAUTHENTICATED, Code.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a call through `interface` lacked: any key that is known, or the right, by its name."""

    interface: str
    right: str
    reason: Code


class Refusals:
    """Counts, from any thread; nothing that a client chooses is told apart, so there are few kinds."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()
        self._lock = threading.Lock()

    def add(self, refusal: Refusal) -> None:
        with self._lock:
            self._counts[refusal] += 1

    def read(self) -> Mapping[Refusal, int]:
        """Count by kind; a kind that never was is 0."""
        with self._lock:
            return self._counts.copy()
