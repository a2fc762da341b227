"""Whether files are still being copied, as far as looking at them can tell."""

from collections.abc import Callable, Container

from ovserve.repository.look import SeenVersion
from ovserve.serving.desired import Name

# Files that have not changed for so long are taken as they are; others must look the same in two looks.
_OLD_S = 2.0
NEXT_LOOK_S = 0.25


class Steadiness:
    """Remembers since when each version looks as it does."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Name, tuple[SeenVersion, float]] = {}

    def is_steady(self, name: Name, seen: SeenVersion) -> bool:
        now_s = self._clock()
        before, since_s = self._since.get(name, (None, now_s))
        if before != seen:
            self._since[name] = (seen, now_s)
            since_s = now_s
        is_old = now_s - seen.changed_s >= _OLD_S
        return seen.error is not None or is_old or now_s - since_s >= NEXT_LOOK_S

    def keep(self, names: Container[Name]) -> None:
        """Forget all others."""
        self._since = {name: since for name, since in self._since.items() if name in names}
