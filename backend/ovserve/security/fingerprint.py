"""Whether files are still what they were when they were read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

Fingerprint: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """Tell contents apart without reading them; None for a file that is not there."""
    return tuple(map(_one, paths))


def _one(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Read a file; raises `OSError`, and `ValueError` where it holds more than `most_bytes`."""
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"more than {most_bytes} bytes")
    return content
