"""The files that a model was read from."""

from collections.abc import Iterable
from pathlib import Path

from ovserve.engine.refused import Refused
from ovserve.repository.layout import Kind, ModelFiles
from ovserve.repository.look import Fingerprint, see


class Origin:
    """Tells whether a model's files are still what they were when this was made."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._then = self._look()

    def check(self) -> None:
        """Raise `Refused` if they have changed: a model that is served keeps the content it was loaded with."""
        if self._look() != self._then:
            raise Refused("its files have changed since it was loaded")

    def _look(self) -> tuple[Fingerprint, ...]:
        return tuple(see(place, None).fingerprint for place in self._places())

    def _places(self) -> Iterable[Path]:
        if self._files.kind is Kind.IR:
            return filter(None, (self._files.path, self._files.weights))
        return (self._files.folder,)  # others may keep weights in files beside their own
