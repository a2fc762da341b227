"""What the numbers of requests that run at once say about a model's streams. Pure."""

from collections import deque

from ovserve.engine.core_budget import Share

# More streams are a compilation, so a moment's crowd is not enough ...
_STARTS = 32
_WITHIN_S = 10.0
# ... and fewer come only when so many looks in a row saw no need for as many as there are.
LOOK_EVERY_S = 60.0
_LOOKS = 5


class Crowd:
    """Counts the requests that run at once, and tells which number of streams they want.

    Not safe for threads as such: a count lost between two costs a moment's delay at most.
    """

    def __init__(self, share: Share) -> None:
        self.share = share
        self.peak = 0  # since the last look
        self._began_s = 0.0
        self._starts = 0
        self._peaks: deque[int] = deque(maxlen=_LOOKS)

    def is_lasting(self, running: int, now_s: float) -> bool:
        """Note that one of `running` requests found every stream taken; tell whether that happens all the time."""
        if now_s - self._began_s > _WITHIN_S:
            self._began_s, self._starts, self.peak = now_s, 0, running
        self._starts += 1
        return self._starts >= _STARTS

    def grown(self, streams: int) -> int:
        """How many streams instead of `streams` a lasting crowd wants, not fewer."""
        self._starts = 0
        self._peaks.clear()
        return max(streams, self.share.streams_for(self.peak))

    def shrunk(self, streams: int) -> int:
        """Look, which the caller does at intervals; how many streams instead of `streams` are enough, not more."""
        self._peaks.append(self.peak)
        self.peak = 0
        if len(self._peaks) < _LOOKS:
            return streams
        return min(streams, self.share.streams_for(max(self._peaks)))
