import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ovclient.cli.failure import CommandFailed
from ovclient.picture_files import expand

T = TypeVar("T")


def collect(paths: tuple[Path, ...], read: Callable[[Path], T | None], what: str) -> tuple[T, ...]:
    """What `read` makes of files and folders, in order of name; what it makes nothing of is skipped with a warning."""
    found = []
    try:
        for path in expand(paths):
            item = read(path)
            if item is None:
                print(f"skipped {path}: no {what}", file=sys.stderr)
            else:
                found.append(item)
    except OSError as error:
        raise CommandFailed(f"cannot read {error.filename}: {error.strerror}") from error
    if not found:
        raise CommandFailed(f"no picture in {', '.join(map(str, paths))}")
    return tuple(found)
