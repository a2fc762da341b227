"""Waits for a result only as long as it is of use."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from ovserve.engine.crew import Crew
from ovserve.requests import FOREVER_S
from ovserve.serving.presence import Presence

_CREW = Crew("python-execute")

T = TypeVar("T")


def result_in_time(work: Callable[[], T], presence: Presence) -> T | None:
    """Have `work`, which never raises, done in another thread; None when the caller has gone before, or his time."""
    results: SimpleQueue[T | None] = SimpleQueue()
    _CREW.run(lambda: results.put(work()))
    with presence.part() as part:
        if not part.add_callback(lambda: results.put(None)):
            results.put(None)
        try:
            return results.get(timeout=min(max(0.0, part.time_remaining()), FOREVER_S))
        except Empty:
            return None
