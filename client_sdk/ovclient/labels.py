"""Names of classes, and which class a model's scores mean."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

_IMAGENET_WIDTHS = (1000, 1001)


@dataclass(frozen=True, slots=True)
class Labels:
    """Class names by number; with `background`, a model's first score belongs to no class."""

    names: tuple[str, ...]
    background: bool = False

    def name(self, number: int) -> str | None:
        """The name of class `number`, None where there is none."""
        if self.background and number == -1:
            return "background"
        return self.names[number] if 0 <= number < len(self.names) else None

    def best(self, scores: np.ndarray) -> tuple[int, float]:
        """The class with the highest of one picture's scores, of whatever shape, and that score."""
        flat = scores.reshape(-1)
        at = int(flat.argmax())
        return at - self.background, flat[at].item()


def for_width(width: int, given: tuple[str, ...] | None = None) -> Labels:
    """Labels for outputs of `width` scores: those given, else ImageNet's where the width is 1000 or 1001, else none.

    One score more than names, as in models of 1001 classes, makes the first one the background.
    """
    names = given if given is not None else imagenet() if width in _IMAGENET_WIDTHS else ()
    return Labels(names, background=bool(names) and width == len(names) + 1)


def read(path: Path) -> tuple[str, ...]:
    """The names in a file, one a line, class n in line n+1."""
    return tuple(path.read_text(encoding="utf-8").splitlines())


@cache
def imagenet() -> tuple[str, ...]:
    """The 1000 names of ImageNet-1k."""
    with as_file(files("ovclient") / "imagenet_classes.txt") as path:
        return read(path)
