"""Picture files as arrays: BGR, 0..255, as OpenCV reads them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the name of its file; pixels are [height, width, 3], BGR, uint8."""

    name: str
    pixels: np.ndarray

    def resized(self, width: int, height: int) -> "Picture":
        return Picture(self.name, cv2.resize(self.pixels, (width, height)))


def read(path: Path) -> Picture | None:
    """The picture in a file, or None if it holds none that OpenCV can decode."""
    content = np.fromfile(path, np.uint8)
    pixels = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    return None if pixels is None else Picture(path.name, pixels)


def save(path: Path, pixels: np.ndarray) -> None:
    """Write pixels as JPEG; what cannot be written is an OSError."""
    path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among `paths`, and those lying in the folders among them, in order of name."""
    for path in paths:
        yield from sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]


def samples(*folders: str) -> tuple[Picture, ...]:
    """The packaged photographs of `folders` ("things", "portraits")."""
    with as_file(files("ovclient") / "samples") as root:
        found = (read(path) for path in expand(root / folder for folder in folders))
        return tuple(picture for picture in found if picture is not None)


def stack(pictures: Sequence[Picture], width: int, height: int, channels: int = 3) -> np.ndarray:
    """Pictures resized to one array [n, height, width, channels] of uint8; one channel is grey."""
    pixels = np.stack([picture.resized(width, height).pixels for picture in pictures])
    if channels == 1:
        pixels = np.stack([cv2.cvtColor(item, cv2.COLOR_BGR2GRAY) for item in pixels])[..., np.newaxis]
    return pixels
