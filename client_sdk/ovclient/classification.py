"""What a classifier's answer means, picture by picture. Pure."""

from dataclasses import dataclass

import numpy as np

from ovclient.datasets import Dataset
from ovclient.labels import for_width


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model saw in one picture; `expected` is the right class, where it is known."""

    position: int
    number: int
    name: str | None
    score: float | None = None
    picture: str | None = None
    expected: int | None = None
    expected_name: str | None = None

    @property
    def correct(self) -> bool | None:
        return None if self.expected is None else self.number == self.expected


@dataclass(frozen=True, slots=True)
class Iteration:
    """One request: its number from 1, how long the answer took, and what it says."""

    number: int
    time_ms: float
    shape: tuple[int, ...]
    imagenet: bool
    predictions: tuple[Prediction, ...]


class NotScores(ValueError):
    """An output cannot be read as scores of a batch."""


def interpret(
    output: np.ndarray, pictures: list[int], dataset: Dataset, names: tuple[str, ...] | None, *, class_numbers: bool
) -> tuple[bool, tuple[Prediction, ...]]:
    """Whether the classes are ImageNet's, and the prediction for each of the `pictures` (their numbers) sent.

    `output` holds one picture's scores per entry of its first dimension, whatever shape they have ([8, 1000],
    [8, 1, 1000], [1, 1000, 1, 1]); with `class_numbers` it holds the class counted from 1 instead, as OVMS's
    pipelines for this client do.
    """
    if output.ndim == 0 or len(output) != len(pictures) or output.size == 0 or output.dtype.kind == "O":
        wanted = f"numbers of shape [{len(pictures)}, classes]"
        raise NotScores(f"expected {wanted}, got {output.dtype}{list(output.shape)}")
    labels = for_width(1000 if class_numbers else output[0].size, names)
    found = []
    for position, (entry, picture) in enumerate(zip(output, pictures, strict=True)):
        number, score = (int(entry.flat[0]) - 1, None) if class_numbers else labels.best(entry)
        expected = dataset.label(picture)
        expected_name = None if expected is None else labels.name(expected)
        found.append(
            Prediction(position, number, labels.name(number), score, dataset.name(picture), expected, expected_name)
        )
    return names is None and bool(labels.names), tuple(found)


def accuracy(predictions: list[Prediction]) -> float | None:
    """Percent of right predictions among those whose class is known; None where none is."""
    marks = [prediction.correct for prediction in predictions if prediction.correct is not None]
    return 100 * sum(marks) / len(marks) if marks else None
