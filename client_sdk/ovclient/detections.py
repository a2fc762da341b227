"""What a detector's answer means: rows of image_id, label, score, x_min, y_min, x_max, y_max. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_COLUMNS = 7


class NotDetections(ValueError):
    """An output cannot be read as rows of detections."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One row of an output: its number there, the picture's position in the batch, the score, the box in 0..1."""

    row: int
    position: int
    score: float
    box: tuple[float, float, float, float]
    values: np.ndarray

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The box as x_min, y_min, x_max, y_max in a picture of that size; it may reach beyond the picture."""
        x_min, y_min, x_max, y_max = self.box
        return int(x_min * width), int(y_min * height), int(x_max * width), int(y_max * height)


def read(output: np.ndarray, confidence: float) -> Iterator[Detection]:
    """The detections of [1, 1, rows, 7] with a score above `confidence`; an image_id below 0 ends the list."""
    if output.ndim == 0 or output.shape[-1] != _COLUMNS or output.dtype.kind not in "fiu":
        raise NotDetections(
            f"expected numbers of shape [1, 1, rows, {_COLUMNS}], got {output.dtype}{list(output.shape)}"
        )
    for number, row in enumerate(output.reshape(-1, _COLUMNS)):
        if row[0] < 0:
            return
        if row[2] > confidence and np.isfinite(row).all():
            x_min, y_min, x_max, y_max = (float(value) for value in row[3:])
            yield Detection(number, int(row[0]), float(row[2]), (x_min, y_min, x_max, y_max), row)
