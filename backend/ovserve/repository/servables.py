"""What lies below a folder and can be served: for --list_models (spec A.3)."""

import os
from collections.abc import Iterator
from pathlib import Path

from ovserve.errors import LoadFailed
from ovserve.repository.layout import find_files, find_models, is_version


def find_servables(root: Path) -> list[str]:
    """Name every folder below `root` that has a version with model files, as a path relative to it.

    Raises `LoadFailed` for a folder that cannot be read.
    """
    return sorted(folder.relative_to(root).as_posix() for folder in _servables(root, frozenset()))


def _servables(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    above |= {os.path.realpath(folder)}
    for name, place in find_models(folder).items():
        if is_version(name) or os.path.realpath(place) in above:  # the latter is a link that leads back
            continue
        if any(_has_files(version) for number, version in find_models(place).items() if is_version(number)):
            yield place
        yield from _servables(place, above)


def _has_files(version: Path) -> bool:
    try:
        find_files(version)
    except LoadFailed:
        return False
    return True
