"""How often keys were asked for lately: what is worth a place in a cache (as TinyLFU counts)."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

REMEMBERED = 64
_MOST = 16
# Old habits fade: all counts are halved after so many calls.
_HALVED_AFTER = 10 * REMEMBERED


class Popularity(Generic[K]):
    """Counts, up to a limit, of the keys that were asked for last; not safe for threads."""

    def __init__(self) -> None:
        self._counts: OrderedDict[K, int] = OrderedDict()
        self._asked = 0

    def ask(self, key: K) -> int:
        """Count one more call for `key`, and return its count."""
        self._asked += 1
        if self._asked == _HALVED_AFTER:
            self._asked = 0
            for known in self._counts:
                self._counts[known] //= 2
        count = min(self._counts.get(key, 0) + 1, _MOST)
        self._counts[key] = count
        self._counts.move_to_end(key)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return count

    def count(self, key: K) -> int:
        return self._counts.get(key, 0)
