"""How often durations fell between fixed bounds. Pure."""

from bisect import bisect_left
from dataclasses import dataclass
from math import floor

# OVMS's (spec H), in microseconds.
BOUNDS_US = tuple(floor(10 * 1.8**index) for index in range(33))
_BOUNDS_NS = tuple(bound * 1000 for bound in BOUNDS_US)


@dataclass(frozen=True, slots=True)
class Buckets:
    """`counts[i]` durations were above `BOUNDS_US[i - 1]` and at most `BOUNDS_US[i]`; the last count is of the rest."""

    counts: tuple[int, ...]
    total_ns: int

    @property
    def count(self) -> int:
        return sum(self.counts)


class Histogram:
    """Counts durations; whoever shares it holds a lock."""

    __slots__ = ("_counts", "_total_ns")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_NS) + 1)
        self._total_ns = 0

    def add(self, duration_ns: int) -> None:
        self._counts[bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self._total_ns += duration_ns

    def read(self) -> Buckets:
        return Buckets(tuple(self._counts), self._total_ns)
