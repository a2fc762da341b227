"""Picture files as they are: what is sent to a server that decodes them itself. Needs no OpenCV."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # JPEG, PNG


@dataclass(frozen=True, slots=True)
class PictureFile:
    name: str
    content: bytes


def read(path: Path) -> PictureFile | None:
    """The file, or None if it is neither JPEG nor PNG."""
    content = path.read_bytes()
    return PictureFile(path.name, content) if content.startswith(_BEGINNINGS) else None


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among `paths`, and those lying in the folders among them, in order of name."""
    for path in paths:
        yield from sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]


def samples(*folders: str) -> tuple[PictureFile, ...]:
    """The packaged photographs of `folders` ("things", "portraits")."""
    with as_file(files("ovclient") / "samples") as root:
        found = (read(path) for path in expand(root / folder for folder in folders))
        return tuple(file for file in found if file is not None)


def as_tensor(contents: Sequence[bytes]) -> np.ndarray:
    """Files as one array [n] of `bytes`, which travels as BYTES."""
    array = np.empty(len(contents), object)
    array[:] = contents
    return array
