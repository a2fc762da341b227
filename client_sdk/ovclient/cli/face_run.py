import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovclient import detections, picture_files
from ovclient._client import Client
from ovclient._errors import InvalidRequest
from ovclient._types import InferResult
from ovclient.cli.collect import collect
from ovclient.cli.face_flags import FaceFlags
from ovclient.cli.face_report import Answer, FaceReport, JsonReport, Marked, TextReport
from ovclient.cli.failure import CommandFailed, WrongUsage
from ovclient.cli.server_decodes import refused
from ovclient.cli.targets import pick_detector
from ovclient.drawing import draw
from ovclient.image_input import ImageInput
from ovclient.pictures import Picture, read_as_stored, read_resized, samples, save

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
    if flags.binary and (flags.width or flags.height):
        raise WrongUsage("--binary sends files as they are: --width and --height cannot be used with it.")
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
        packaged = samples("portraits")
        return packaged if flags.binary else tuple(picture.resized(width, height) for picture in packaged)
    if flags.binary:
        return collect((flags.input_images_dir,), _read_sendable, "JPEG or PNG")
    return collect(
        (flags.input_images_dir,), lambda path: read_resized(path, width, height), "picture that OpenCV can read"
    )


def _read_sendable(path: Path) -> Picture | None:
    return None if picture_files.read(path) is None else read_as_stored(path)


def _answers(detector: _Detector, pictures: Sequence[Picture]) -> Iterator[Answer]:
    size, image = detector.flags.batch_size, detector.image
    for number, first in enumerate(range(0, len(pictures), size), start=1):
        chosen = pictures[first : first + size]
        # A model of a fixed batch takes no rest: fill it up, and forget what fills.
        filled = [*chosen, *[chosen[-1]] * (size - len(chosen))] if image.batch == size else chosen
        batch = _batch(detector, filled)
        start = time.perf_counter()
        result = _infer(detector, batch)
        time_ms = 1000 * (time.perf_counter() - start)
        answer = result[detector.output]
        yield Answer(
            number, batch.shape, answer.shape, time_ms, _mark(detector, number, chosen, batch.shape[1:], answer)
        )


def _batch(detector: _Detector, pictures: Sequence[Picture]) -> np.ndarray:
    if detector.flags.binary:
        return picture_files.as_tensor([picture.content for picture in pictures])
    return detector.image.cast(detector.image.arrange(np.stack([picture.pixels for picture in pictures])))


def _infer(detector: _Detector, batch: np.ndarray) -> InferResult:
    flags = detector.flags
    try:
        return detector.client.infer(flags.model_name, {detector.image.name: batch}, outputs=[detector.output])
    except InvalidRequest as error:
        if flags.binary:
            raise refused(error) from error
        raise


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
        sent = picture.pixels.shape if detector.flags.binary else shape
        marked.append(Marked(picture.name, sent, width, height, own, path))
    return tuple(marked)
