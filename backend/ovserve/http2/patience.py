"""How much a client may ask for that costs us something and carries nothing."""

from time import monotonic

from ovserve.http2.frames import ConnectionFault, Fault

_MOST = 10_000
_PER_SECOND = 1_000


class Patience:
    """So many frames at once, and so many a second; raises a `ConnectionFault` where it has an end."""

    __slots__ = ("_left", "_looked")

    def __init__(self) -> None:
        self._left = _MOST
        self._looked = monotonic()

    def spend(self, count: int = 1) -> None:
        self._left -= count
        if self._left >= 0:
            return
        now = monotonic()
        self._left = min(_MOST, self._left + int((now - self._looked) * _PER_SECOND))
        self._looked = now
        if self._left < 0:
            raise ConnectionFault(Fault.ENHANCE_YOUR_CALM, "too many frames that carry nothing")
