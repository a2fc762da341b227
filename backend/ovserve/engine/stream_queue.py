"""The requests that a device's streams have been given, more than there are streams: which of them run, and since when.

A stream that ends one inference begins the next at once, without a thread of ours that would have to be woken first.
"""

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns


class Place:
    """That of one request in the queue."""

    __slots__ = ("begun_ns", "entered_ns")

    def __init__(self, entered_ns: int) -> None:
        self.entered_ns = entered_ns
        self.begun_ns = 0  # as long as it waits

    @property
    def waited_ns(self) -> int:
        """How long it waited for a stream; for a request that has left."""
        return self.begun_ns - self.entered_ns


class StreamQueue:
    """Follows what OpenVINO does not tell; its streams take what they are given in the order it came."""

    def __init__(self, streams: int, clock: Callable[[], int] = perf_counter_ns) -> None:
        self._free = streams
        self._waiting: deque[Place] = deque()
        self._left_ns = 0  # when a stream was seen to be done
        self._lock = threading.Lock()
        self._clock = clock

    def enter(self) -> Place:
        """Know that a request is given to the streams."""
        place = Place(self._clock())
        with self._lock:
            if self._free:
                self._free -= 1
                place.begun_ns = place.entered_ns
            else:
                self._waiting.append(place)
        return place

    def leave(self, place: Place) -> None:
        """Know that it is done, so that another one runs."""
        with self._lock:
            before_ns, self._left_ns = self._left_ns, self._clock()
            if not place.begun_ns:
                # One before it is done too, and its thread has not come back yet: that one hands the stream on.
                self._waiting.remove(place)
                place.begun_ns = max(place.entered_ns, before_ns)
            elif self._waiting:
                self._waiting.popleft().begun_ns = self._left_ns
            else:
                self._free += 1
