from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ovclient import image_list
from ovclient._types import ModelMetadata
from ovclient.cli.collect import collect
from ovclient.cli.failure import CommandFailed, WrongUsage
from ovclient.cli.resnet_flags import ResnetFlags
from ovclient.cli.targets import InputTarget, no_image_input
from ovclient.datasets import DIGIT_SIZE, BadDataset, Dataset, digits, from_numpy, from_pictures
from ovclient.image_input import ImageInput
from ovclient.picture_files import as_tensor, read, samples

if TYPE_CHECKING:
    from ovclient.pictures import Picture

_ANY_SIZE = 224  # what ImageNet models are trained on, for a model that takes any height or width


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Picture files to take; `labels` are their classes, or a file of these. `listed` ones must all be pictures."""

    paths: tuple[Path, ...]
    source: str
    labels: Path | np.ndarray | None = None
    listed: bool = False


def check(flags: ResnetFlags) -> None:
    """Refuse flags that contradict each other, before any server is asked."""
    sources = {
        "--images": flags.images,
        "--images_list": flags.images_list,
        "--images_numpy_path": flags.images_numpy_path,
    }
    given = [name for name, value in sources.items() if value]
    if len(given) > 1:
        raise WrongUsage(f"{' and '.join(given)} exclude each other.")
    if flags.labels_numpy_path and given not in (["--images_numpy_path"], ["--images"]):
        raise WrongUsage("--labels_numpy_path needs --images_numpy_path or --images.")
    if flags.binary and flags.images_numpy_path:
        raise WrongUsage("--binary sends picture files, and --images_numpy_path has none.")


def load(flags: ResnetFlags, target: InputTarget, model: ModelMetadata) -> Dataset:
    """The pictures the flags name, else the packaged ones, fit for the model's input."""
    try:
        if flags.images_numpy_path:
            return from_numpy(flags.images_numpy_path, flags.labels_numpy_path, flags.transpose, target.image)
        if flags.binary:
            return _as_they_are(_chosen(flags))
        if target.image is None:
            raise no_image_input(model, demultiplexed=flags.dag_batch_size_auto)
        chosen = _chosen(flags)
        return _packaged(target.image) if chosen is None else _from_files(chosen, target.image)
    except BadDataset as error:
        raise CommandFailed(str(error)) from error


def _chosen(flags: ResnetFlags) -> _Chosen | None:
    """The files that the flags name; None where they name none."""
    if flags.images_list:
        listed = image_list.read(flags.images_list)
        return _Chosen(listed.paths, str(flags.images_list), listed.labels, listed=True)
    if flags.images:
        return _Chosen(flags.images, ", ".join(map(str, flags.images)), flags.labels_numpy_path)
    return None


def _as_they_are(chosen: _Chosen | None) -> Dataset:
    if chosen is None:
        found, source, labels = samples("things", "portraits"), "packaged samples", None
    else:
        found, source, labels = collect(chosen.paths, read, "JPEG or PNG"), chosen.source, chosen.labels
        _check_all(chosen, len(found))
    return from_pictures(as_tensor([file.content for file in found]), [file.name for file in found], source, labels)


def _from_files(chosen: _Chosen, image: ImageInput) -> Dataset:
    from ovclient import pictures  # noqa: PLC0415 - who brings a .npy file needs no OpenCV

    width, height = _size(image)
    found = collect(
        chosen.paths, lambda path: pictures.read_resized(path, width, height), "picture that OpenCV can read"
    )
    _check_all(chosen, len(found))
    return _dataset(found, image, chosen.source, chosen.labels)


def _check_all(chosen: _Chosen, found: int) -> None:
    """A list's labels fit only if each of its lines is a picture."""
    if chosen.listed and found != len(chosen.paths):
        raise BadDataset(f"{chosen.source}: {len(chosen.paths)} lines name {found} pictures")


def _packaged(image: ImageInput) -> Dataset:
    """Samples for an input: digits of known class where it takes such, else photographs of no known class."""
    if image.channels == 1 and (image.height, image.width) == DIGIT_SIZE:
        return digits(image)
    from ovclient import pictures  # noqa: PLC0415 - as above

    return _dataset(pictures.samples("things", "portraits"), image, "packaged samples")


def _dataset(
    found: "tuple[Picture, ...]", image: ImageInput, source: str, labels: Path | np.ndarray | None = None
) -> Dataset:
    from ovclient.pictures import stack  # noqa: PLC0415 - as above

    pixels = image.arrange(stack(found, *_size(image), image.channels))
    return from_pictures(pixels, [picture.name for picture in found], source, labels)


def _size(image: ImageInput) -> tuple[int, int]:
    return image.width or _ANY_SIZE, image.height or _ANY_SIZE
