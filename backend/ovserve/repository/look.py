"""One look at a model's folder: its versions, and what would tell that one has changed. Opens no file."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ovserve.errors import LoadFailed
from ovserve.repository.layout import find_versions
from ovserve.repository.mapping import FILE_NAME as MAPPING

# Of each file: its path in the version, size, time of change and inode; equal ones mean the same content.
Fingerprint: TypeAlias = tuple[tuple[str, int, int, int], ...]

_MOST_FILES = 10_000
_DEEPEST = 8
_NOT_ALLOWED = (-1, 0, 0)


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """`error` says why it cannot be served whatever is in it; `changed_s` when a file of it changed last (since 1970).

    Behind `has_links`, changes may come without an event of the file system.
    """

    place: Path
    fingerprint: Fingerprint
    error: str | None = None
    changed_s: float = field(compare=False, default=0.0)
    has_links: bool = field(compare=False, default=False)
    root: Path | None = field(compare=False, default=None)

    def look_again(self) -> "SeenVersion":
        return see(self.place, self.root)


@dataclass(frozen=True, slots=True)
class SeenModel:
    """`error` says why no version is seen."""

    versions: Mapping[int, SeenVersion]
    ignored: tuple[str, ...] = ()
    error: LoadFailed | None = None
    has_links: bool = False


def look(base: Path, root: Path | None) -> SeenModel:
    """Look at the model in `base`; a link that leads out of `root` is refused (None: links may lead anywhere)."""
    try:
        _check_inside(base, root)
        found = find_versions(base)
    except LoadFailed as error:
        return SeenModel({}, error=error, has_links=base.is_symlink())
    versions = {number: see(place, root) for number, place in found.places.items()}
    has_links = base.is_symlink() or any(seen.has_links for seen in versions.values())
    return SeenModel(versions, found.ignored, has_links=has_links)


def see(place: Path, root: Path | None) -> SeenVersion:
    """Look at one version, a folder or a file."""
    files = _Files(root)
    try:
        _check_inside(place, root)
        if place.is_dir():
            files.add_folder(place, "", _DEEPEST)
        else:
            for path in (place, *sorted(place.parent.glob(f"{_escaped(place.stem)}.*")), place.parent / MAPPING):
                files.add(path, path.name)
    except LoadFailed as error:
        return SeenVersion(place, (), str(error), has_links=True, root=root)
    fingerprint = tuple(sorted((name, *status) for name, status in files.found.items()))
    return SeenVersion(place, fingerprint, None, files.changed_s, files.has_links or place.is_symlink(), root)


class _Files:
    """Collects what is known of files without opening them."""

    def __init__(self, root: Path | None) -> None:
        self.found: dict[str, tuple[int, int, int]] = {}
        self.changed_s = 0.0
        self.has_links = False
        self._root = root

    def add_folder(self, folder: Path, prefix: str, deepest: int) -> None:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed
        except OSError:
            self.found[prefix] = _NOT_ALLOWED
            return
        for name in names:
            self.add(folder / name, prefix + name, deepest)

    def add(self, path: Path, name: str, deepest: int = 0) -> None:
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                self.has_links = True
                _check_inside(path, self._root)
                status = path.stat()
        except FileNotFoundError:  # gone meanwhile, or a link to nowhere
            return
        except OSError:
            self.found[name] = _NOT_ALLOWED
            return
        if stat.S_ISDIR(status.st_mode):
            if deepest > 0:
                self.add_folder(path, f"{name}/", deepest - 1)
            return
        self.found[name] = (status.st_size, status.st_mtime_ns, status.st_ino)
        self.changed_s = max(self.changed_s, status.st_ctime)
        if len(self.found) > _MOST_FILES:
            raise LoadFailed(f"it holds more than {_MOST_FILES} files", path.parent)


def _check_inside(path: Path, root: Path | None) -> None:
    if root is not None and not Path(os.path.realpath(path)).is_relative_to(root):
        raise LoadFailed(
            f"'{path.name}' is a link that leads out of the model repository, which only --allow_symlinks permits", path
        )


def _escaped(stem: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in stem)
