"""When a worker that has ended is started anew. Pure."""

_SHORT_S = 10.0
_FIRST_S = 0.5
_MOST_S = 30.0


class Restarts:
    """At once; after lives of less than ten seconds, one upon another, in 0.5, 1, 2, ... 30 seconds."""

    def __init__(self) -> None:
        self._short = 0

    def delay_s(self, lived_s: float) -> float:
        """Tell how long to wait after a life of `lived_s` seconds, 0 for one that did not begin."""
        self._short = self._short + 1 if lived_s < _SHORT_S else 0
        if self._short <= 1:
            return 0.0
        return float(min(_MOST_S, _FIRST_S * 2 ** min(self._short - 2, 10)))
