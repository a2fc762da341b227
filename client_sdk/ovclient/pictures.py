"""Picture files as arrays: BGR, 0..255, as OpenCV reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np

from ovclient.picture_files import expand


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the name of its file; pixels are [height, width, 3], BGR, uint8.

    `content` is the file, as long as the pixels are as they came out of it.
    """

    name: str
    pixels: np.ndarray
    content: bytes = b""

    def resized(self, width: int, height: int) -> "Picture":
        return Picture(self.name, cv2.resize(self.pixels, (width, height)))


def read(path: Path) -> Picture | None:
    """The picture in a file, or None if it holds none that OpenCV can decode."""
    return _decoded(path, cv2.IMREAD_COLOR)


def read_as_stored(path: Path) -> Picture | None:
    """The same as servers see it, who do not turn it the way its EXIF data says."""
    return _decoded(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def _decoded(path: Path, how: int) -> Picture | None:
    content = path.read_bytes()
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), how) if content else None
    return None if pixels is None else Picture(path.name, pixels, content)


def read_resized(path: Path, width: int, height: int) -> Picture | None:
    """The same, resized."""
    picture = read(path)
    return None if picture is None else picture.resized(width, height)


def save(path: Path, pixels: np.ndarray) -> None:
    """Write pixels as JPEG; what cannot be written is an OSError."""
    path.write_bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


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
