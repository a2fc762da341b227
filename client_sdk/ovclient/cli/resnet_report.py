import math
from dataclasses import dataclass
from typing import Any, Protocol

from ovclient.classification import Iteration, Prediction, accuracy
from ovclient.cli.document import print_json
from ovclient.stats import Statistics, speed_fps


@dataclass(frozen=True, slots=True)
class Header:
    """What a run is going to do."""

    model: str
    iterations: int
    batch: int
    source: str
    numpy: bool
    shape: tuple[int, ...]
    range: tuple[float, float] | None


class Report(Protocol):
    """Where a run is told: as lines, as a table on a terminal, or as JSON."""

    def start(self, header: Header) -> None: ...
    def iteration(self, iteration: Iteration) -> None: ...
    def end(self) -> None: ...
    def close(self) -> None:
        """Leave the terminal in order, also when the run failed."""


class TextReport:
    """Line for line what OVMS's clients print."""

    def __init__(self, *, show_shape: bool = False) -> None:
        self._show_shape = show_shape
        self._batch = 1
        self._times_ms: list[float] = []
        self._predictions: list[Prediction] = []

    def start(self, header: Header) -> None:
        self._batch = header.batch
        print(*header_lines(header), sep="\n", end="\n\n")

    def iteration(self, iteration: Iteration) -> None:
        self._times_ms.append(iteration.time_ms)
        self._predictions.extend(iteration.predictions)
        speed = speed_fps(iteration.time_ms, self._batch)
        print(f"Iteration {iteration.number}; Processing time: {iteration.time_ms:.2f} ms; speed {speed:.2f} fps")
        if self._show_shape:
            print(f"response shape {iteration.shape}")
        print(f"{'imagenet ' if iteration.imagenet else ''}top results in a single batch:")
        for prediction in iteration.predictions:
            print(f"\t {prediction_line(prediction)}")

    def end(self) -> None:
        print("", *Statistics.of(self._times_ms, self._batch).lines(), sep="\n")
        right = accuracy(self._predictions)
        if right is not None:
            print(f"Classification accuracy: {right:.2f}")

    def close(self) -> None:
        pass


class JsonReport:
    """One strict JSON document at the end."""

    def __init__(self) -> None:
        self._iterations: list[Iteration] = []

    def start(self, header: Header) -> None:
        self._header = header

    def iteration(self, iteration: Iteration) -> None:
        self._iterations.append(iteration)

    def end(self) -> None:
        header, times_ms = self._header, [iteration.time_ms for iteration in self._iterations]
        predictions = [prediction for iteration in self._iterations for prediction in iteration.predictions]
        print_json(
            {
                "model_name": header.model,
                "batchsize": header.batch,
                "images": header.source,
                "shape": header.shape,
                "iterations": [_document(iteration) for iteration in self._iterations],
                "statistics": Statistics.of(times_ms, header.batch).as_json(),
                "accuracy": accuracy(predictions),
            }
        )

    def close(self) -> None:
        pass


def header_lines(header: Header) -> list[str]:
    source, shape = ("Images numpy path", "Numpy file shape") if header.numpy else ("Images", "Images shape")
    return [
        *([] if header.range is None else [f"Image data range: {header.range[0]} : {header.range[1]}"]),
        "Start processing:",
        f"\tModel name: {header.model}",
        f"\tIterations: {header.iterations}",
        f"\t{source}: {header.source}",
        f"\t{shape}: {header.shape}",
    ]


def prediction_line(prediction: Prediction) -> str:
    """`0 bee 309 ; Correct match.`, or with the score and the picture's name where the right class is not known."""
    words = [str(prediction.position), prediction.name, str(prediction.number)]
    line = " ".join(word for word in words if word is not None)
    if prediction.expected is not None:
        right = f"{prediction.expected} {prediction.expected_name or ''}".rstrip()
        return line + (" ; Correct match." if prediction.correct else f" ; Incorrect match. Should be {right}")
    if prediction.picture is not None and prediction.score is not None:
        return f"{line} ; score {score_text(prediction.score)} ; {prediction.picture}"
    return line


def score_text(score: float) -> str:
    return f"{score:.4f}" if isinstance(score, float) else str(score)


def _document(iteration: Iteration) -> dict[str, Any]:
    return {"time_ms": iteration.time_ms, "results": [_result(prediction) for prediction in iteration.predictions]}


def _result(prediction: Prediction) -> dict[str, Any]:
    score = prediction.score
    return {
        "class": prediction.number,
        "name": prediction.name,
        "score": score if score is not None and math.isfinite(score) else None,
        "picture": prediction.picture,
        "label": prediction.expected,
        "label_name": prediction.expected_name,
        "correct": prediction.correct,
    }
