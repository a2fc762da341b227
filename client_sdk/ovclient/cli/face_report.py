from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ovclient.cli.document import print_json
from ovclient.detections import Detection
from ovclient.stats import Statistics, speed_fps


@dataclass(frozen=True, slots=True)
class Marked:
    """One picture of a request: the shape it was sent in, its size, what was found, and where the result lies."""

    name: str
    shape: tuple[int, ...]
    width: int
    height: int
    detections: tuple[Detection, ...]
    saved: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: its number from 1, both shapes, and how long the answer took."""

    number: int
    request_shape: tuple[int, ...]
    response_shape: tuple[int, ...]
    time_ms: float
    pictures: tuple[Marked, ...]


class FaceReport(Protocol):
    """Where a run is told: as lines or as JSON."""

    def start(self, names: list[str], iterations: int, batch: int) -> None: ...
    def answer(self, answer: Answer) -> None: ...
    def end(self) -> None: ...


class TextReport:
    """What OVMS's client prints, and the number of faces in each picture."""

    def start(self, names: list[str], iterations: int, batch: int) -> None:
        self._batch = batch
        self._times_ms: list[float] = []
        print(names)
        print(f"Start processing {iterations} iterations with batch size {batch}")

    def answer(self, answer: Answer) -> None:
        self._times_ms.append(answer.time_ms)
        print(f"\nRequest shape {answer.request_shape}")
        print(f"Response shape {answer.response_shape}")
        for position, picture in enumerate(answer.pictures):
            print(f"image in batch item {position} , output shape {picture.shape}")
            for detection in picture.detections:
                print("\n".join(_detection_lines(detection, picture)))
            count = len(picture.detections)
            print(f"saving result to {picture.saved}")
            print(f"{picture.name}: {count} {'face' if count == 1 else 'faces'}")
        speed = speed_fps(answer.time_ms, self._batch)
        print(f"Iteration {answer.number}; Processing time: {answer.time_ms:.2f} ms; speed {speed:.2f} fps")

    def end(self) -> None:
        print("", *Statistics.of(self._times_ms, self._batch).lines(), sep="\n")


class JsonReport:
    """One strict JSON document at the end."""

    def start(self, names: list[str], iterations: int, batch: int) -> None:  # noqa: ARG002 - it tells only results
        self._batch = batch
        self._answers: list[Answer] = []

    def answer(self, answer: Answer) -> None:
        self._answers.append(answer)

    def end(self) -> None:
        times_ms = [answer.time_ms for answer in self._answers]
        pictures = [_document(picture) for answer in self._answers for picture in answer.pictures]
        statistics = Statistics.of(times_ms, self._batch).as_json()
        print_json({"batch_size": self._batch, "images": pictures, "times_ms": times_ms, "statistics": statistics})


def _detection_lines(detection: Detection, picture: Marked) -> list[str]:
    corners = zip(("x_min", "y_min", "x_max", "y_max"), detection.pixels(picture.width, picture.height), strict=True)
    row = np.array2string(detection.values[np.newaxis, np.newaxis], max_line_width=1000)
    return [f"detection {detection.row} {row}", *(f"{name} {value}" for name, value in corners)]


def _document(picture: Marked) -> dict[str, Any]:
    faces = [
        dict(zip(("x_min", "y_min", "x_max", "y_max"), detection.pixels(picture.width, picture.height), strict=True))
        | {"score": detection.score}
        for detection in picture.detections
    ]
    return {
        "name": picture.name,
        "width": picture.width,
        "height": picture.height,
        "faces": faces,
        "saved": str(picture.saved),
    }
