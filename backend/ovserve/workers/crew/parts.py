"""What the server serves, by numbers that mean the same in all processes."""

import itertools
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

from ovserve.config.model import ModelConfig
from ovserve.pipelines.pipeline import Pipeline
from ovserve.repository.look import Fingerprint, see
from ovserve.serving.servable import Servable
from ovserve.workers.crew.private_weights import PrivateWeights


@dataclass(frozen=True, slots=True)
class Part:
    """A version that every worker loads: from which files, how those looked then, and its weights for all of them."""

    number: int
    config: ModelConfig
    version: int
    place: Path
    fingerprint: Fingerprint
    weights: PrivateWeights | None = None

    def is_unchanged(self) -> bool:
        """Tell whether who loads it now gets what the others have."""
        return see(self.place, None).fingerprint == self.fingerprint


class Parts:
    """Servables that somebody still has, and their numbers; from any thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._of: weakref.WeakKeyDictionary[Servable, int] = weakref.WeakKeyDictionary()
        self._servables: weakref.WeakValueDictionary[int, Servable] = weakref.WeakValueDictionary()
        self._parts: dict[int, Part] = {}
        self._lock = threading.RLock()  # a garbage collection may come in the midst

    def plan(self, config: ModelConfig, version: int, place: Path) -> Part:
        """Give a number to what is about to be loaded."""
        return Part(next(self._numbers), config, version, place, see(place, None).fingerprint)

    def put(self, servable: Servable, part: Part, *, everywhere: bool) -> None:
        """Know what was loaded, in every worker or only here."""
        with self._lock:
            self._of[servable] = part.number
            self._servables[part.number] = servable
            if everywhere:
                self._parts[part.number] = part

    def forget(self, number: int) -> None:
        self._parts.pop(number, None)

    def number_of(self, servable: Servable) -> int:
        """Find the number; what has none yet gets one."""
        with self._lock:
            number = self._of.get(servable)
            if number is None:
                number = self._of[servable] = next(self._numbers)
                self._servables[number] = servable
            return number

    def find(self, number: int) -> Servable | None:
        return self._servables.get(number)

    def loaded(self) -> list[Part]:
        """List what every worker has to have."""
        with self._lock:
            return list(self._parts.values())

    def members(self, servable: Servable) -> dict[str, int] | None:
        """Find the numbers of what a pipeline's nodes run; None for a model, or if one of them is only here."""
        if not isinstance(servable, Pipeline) or not self._is_everywhere(servable):
            return None
        return {node: self.number_of(member) for node, member in servable.members.items()}

    def _is_everywhere(self, servable: Servable) -> bool:
        if isinstance(servable, Pipeline):
            return all(map(self._is_everywhere, servable.members.values()))
        return self.number_of(servable) in self._parts
