"""OVMS's lists of pictures: a line for each, its path and, after a blank, the number of its class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovclient.datasets import BadDataset


@dataclass(frozen=True, slots=True)
class ImageList:
    """Files, and their classes where the list has any."""

    paths: tuple[Path, ...]
    labels: np.ndarray | None


def read(file: Path) -> ImageList:
    """Read a list; a path that does not exist from here is looked for beside the list. Raises `BadDataset`."""
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except OSError as error:
        raise BadDataset(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadDataset(f"{file} is no text in UTF-8: {error}") from error
    entries = [_entry(line, file.parent) for line in lines if line]
    labels = [label for _, label in entries if label is not None]
    if not entries or len(labels) not in (0, len(entries)):
        raise BadDataset(
            f"{file}: expected lines with a path and a class number, {len(labels)} of {len(entries)} are such"
        )
    return ImageList(tuple(path for path, _ in entries), np.array(labels, np.int64) if labels else None)


def _entry(line: str, folder: Path) -> tuple[Path, int | None]:
    path, _, number = line.rpartition(" ")
    label = int(number) if path and number.isascii() and number.isdigit() else None
    found = Path(line if label is None else path.strip())
    return (found if found.exists() else folder / found), label
