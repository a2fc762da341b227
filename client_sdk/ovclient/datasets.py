"""Pictures to classify, by number; read from a .npy file or made of picture files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from ovclient.image_input import ImageInput, Layout, layout_of

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_SIZE = (8, 8)
_RANK = 4
_MAX = 255


class BadDataset(ValueError):
    """A file of pictures or labels cannot be used; says which and why."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures [n, ...] as stored; those of a .npy file are stretched to 0..255 when taken, as OVMS's clients do.

    Those that the server is to decode are an array [n] of `bytes`, one file each.
    `names` are the pictures' own, where they have any; `labels` are the right classes, where they are known;
    `classes` names the classes of a set that is not ImageNet's.
    """

    pixels: np.ndarray
    source: str
    names: tuple[str, ...] | None = None
    labels: np.ndarray | None = None
    stretch: tuple[float, float] | None = None
    transpose: tuple[int, ...] | None = None
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        """The pictures of these numbers, beginning again after the last."""
        taken: np.ndarray = self.pixels[np.asarray(numbers) % len(self)]
        if self.stretch is not None:
            low, span = self.stretch
            taken = (taken - np.asarray(low, _wide(taken))) / np.asarray(span or 1, _wide(taken)) * _MAX
        return taken if self.transpose is None else taken.transpose(self.transpose)

    def label(self, number: int) -> int | None:
        return None if self.labels is None else int(self.labels[number % len(self)])

    def name(self, number: int) -> str | None:
        return None if self.names is None else self.names[number % len(self)]

    @property
    def encoded(self) -> bool:
        return self.pixels.dtype.kind == "O"

    def range(self) -> tuple[float, float] | None:
        """The least and the greatest value that `take` gives; None for files, whose values only the server sees."""
        if self.encoded:
            return None
        if self.stretch is None:
            return float(self.pixels.min()), float(self.pixels.max())
        return 0.0, float(_MAX) if self.stretch[1] else 0.0


def from_numpy(images: Path, labels: Path | None, transpose: str | None, image: ImageInput | None) -> Dataset:
    """A .npy file of pictures [n, c, h, w] or [n, h, w, c] and, if given, one of their classes.

    `transpose` is "nhwc2nchw", "nchw2nhwc" or "no"; None follows the model's layout where both are known.
    """
    pixels = _load(images)
    if pixels.ndim != _RANK or not len(pixels) or pixels.dtype.kind not in "biuf":
        raise BadDataset(f"{images}: expected numbers of shape [n, c, h, w] or [n, h, w, c], got {_what(pixels)}")
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite(high - low):
        raise BadDataset(f"{images}: holds values that are not finite")
    axes = _axes(transpose, layout_of(pixels.shape), image.layout if image else None)
    return Dataset(pixels, str(images), None, _labels(labels, len(pixels)), (low, high - low), axes)


def from_pictures(
    pixels: np.ndarray, names: Sequence[str], source: str, labels: Path | np.ndarray | None = None
) -> Dataset:
    """Pictures already in the model's layout, or files; their values are 0..255 by nature and stay as they are."""
    known = labels if isinstance(labels, np.ndarray) else _labels(labels, len(pixels))
    return Dataset(pixels, source, tuple(names), known)


def digits(image: ImageInput) -> Dataset:
    """The packaged handwritten digits, 8x8 and grey, with their classes: what model_repository/resnet is asked."""
    with as_file(files("ovclient") / "samples") as folder:
        found = from_numpy(folder / "digits_images.npy", folder / "digits_labels.npy", None, image)
    return replace(found, source="packaged samples", classes=DIGITS)


def _wide(taken: np.ndarray) -> np.dtype[np.generic]:
    return taken.dtype if taken.dtype.kind == "f" else np.dtype(np.float64)


def _axes(transpose: str | None, data: Layout | None, model: Layout | None) -> tuple[int, ...] | None:
    if transpose is None and data and model and data != model:
        transpose = f"{data}2{model}".lower()
    return {"nhwc2nchw": (0, 3, 1, 2), "nchw2nhwc": (0, 2, 3, 1)}.get(transpose or "no")


def _load(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise BadDataset(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise BadDataset(f"{path} is no .npy file of numbers") from error
    if not isinstance(loaded, np.ndarray):
        raise BadDataset(f"{path} is no .npy file of numbers, but an archive of several")
    return loaded


def _labels(path: Path | None, count: int) -> np.ndarray | None:
    if path is None:
        return None
    labels = _load(path).reshape(-1)
    if labels.dtype.kind not in "iu" or len(labels) < count:
        raise BadDataset(f"{path}: expected a whole number for each of the {count} pictures, got {_what(labels)}")
    return labels


def _what(array: np.ndarray) -> str:
    return f"{array.dtype}{list(array.shape)}"
