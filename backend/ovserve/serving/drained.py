"""All that is in a queue now."""

from queue import Empty, SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


def drained(queue: "SimpleQueue[_T]") -> list[_T]:
    """Take out what is there, without waiting."""
    found: list[_T] = []
    while True:
        try:
            found.append(queue.get_nowait())
        except Empty:
            return found
