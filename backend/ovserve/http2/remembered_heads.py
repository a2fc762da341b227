"""Heads that were read before, few and small ones, whatever a client sends."""

from typing import Generic, TypeVar

from ovserve.http2.head import Head

_MOST = 64
_MOST_BYTES = 1 << 15

Key = TypeVar("Key")


class RememberedHeads(Generic[Key]):
    """Heads by what they were read from. When there is no more room all are forgotten, and those in use come again."""

    def __init__(self) -> None:
        self._heads: dict[Key, Head] = {}
        self._bytes = 0
        self.get = self._heads.get

    def keep(self, key: Key, head: Head, key_bytes: int) -> None:
        """Remember a head, unless it is large; `key_bytes` are those of the key."""
        size = key_bytes + head.size
        if size > _MOST_BYTES:
            return
        if len(self._heads) >= _MOST or self._bytes + size > _MOST_BYTES:
            self.clear()
        self._heads[key] = head
        self._bytes += size

    def clear(self) -> None:
        self._heads.clear()
        self._bytes = 0
