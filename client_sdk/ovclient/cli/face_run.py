import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ovclient import detections
from ovclient._client import Client
from ovclient.cli.collect import collect
from ovclient.cli.face_flags import FaceFlags
from ovclient.cli.face_report import Answer, FaceReport, JsonReport, Marked, TextReport
from ovclient.cli.failure import CommandFailed
from ovclient.cli.targets import pick_detector
from ovclient.drawing import draw
from ovclient.image_input import ImageInput
from ovclient.pictures import Picture, samples, save

_ANY_WIDTH, _ANY_HEIGHT = 1200, 800


@dataclass(frozen=True, slots=True)
class _Detector:
    """Everything a request needs that no request changes."""

    client: Client
    flags: FaceFlags
    image: ImageInput
    output: str


def run(client: Client, flags: FaceFlags) -> None:
    """Detect, mark and report; every picture is read before the first request."""
    detector = _Detector(client, flags, *pick_detector(client.metadata(flags.model_name)))
    pictures = _pictures(flags, detector.image)
    try:
        flags.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"cannot make the folder {flags.output_dir}: {error.strerror}") from error
    report: FaceReport = JsonReport() if flags.json else TextReport()
    iterations = math.ceil(len(pictures) / flags.batch_size)
    report.start([picture.name for picture in pictures], iterations, flags.batch_size)
    for answer in _answers(detector, pictures):
        report.answer(answer)
    report.end()


def _pictures(flags: FaceFlags, image: ImageInput) -> tuple[Picture, ...]:
    width, height = flags.width or image.width or _ANY_WIDTH, flags.height or image.height or _ANY_HEIGHT
    if flags.input_images_dir is None:
        return tuple(picture.resized(width, height) for picture in samples("portraits"))
    return collect((flags.input_images_dir,), width, height)


def _answers(detector: _Detector, pictures: Sequence[Picture]) -> Iterator[Answer]:
    size, image = detector.flags.batch_size, detector.image
    for number, first in enumerate(range(0, len(pictures), size), start=1):
        chosen = pictures[first : first + size]
        pixels = np.stack([picture.pixels for picture in chosen])
        if image.batch == size:  # a model of a fixed batch takes no rest: fill it up, and forget what fills
            pixels = np.concatenate([pixels, pixels[-1:].repeat(size - len(chosen), axis=0)])
        batch = image.cast(image.arrange(pixels))
        start = time.perf_counter()
        result = detector.client.infer(detector.flags.model_name, {image.name: batch}, outputs=[detector.output])
        time_ms = 1000 * (time.perf_counter() - start)
        answer = result[detector.output]
        yield Answer(
            number, batch.shape, answer.shape, time_ms, _mark(detector, number, chosen, batch.shape[1:], answer)
        )


def _mark(
    detector: _Detector, number: int, pictures: Sequence[Picture], shape: tuple[int, ...], answer: np.ndarray
) -> tuple[Marked, ...]:
    try:
        found = list(detections.read(answer, detector.flags.confidence))
    except detections.NotDetections as error:
        raise CommandFailed(f"output '{detector.output}' of model '{detector.flags.model_name}': {error}") from error
    marked = []
    for position, picture in enumerate(pictures):
        own = tuple(detection for detection in found if detection.position == position)
        path = detector.flags.output_dir / f"{number}_{position}.jpg"
        try:
            save(path, draw(picture.pixels, own))
        except OSError as error:
            raise CommandFailed(f"cannot write {path}: {error.strerror}") from error
        height, width = picture.pixels.shape[:2]
        marked.append(Marked(picture.name, shape, width, height, own, path))
    return tuple(marked)
