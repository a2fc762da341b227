from pathlib import Path
from typing import TYPE_CHECKING

from ovclient._types import ModelMetadata
from ovclient.cli.failure import CommandFailed, WrongUsage
from ovclient.cli.resnet_flags import ResnetFlags
from ovclient.cli.targets import InputTarget, no_image_input
from ovclient.datasets import DIGIT_SIZE, BadDataset, Dataset, digits, from_numpy, from_pictures
from ovclient.image_input import ImageInput

if TYPE_CHECKING:
    from ovclient.pictures import Picture

_ANY_SIZE = 224  # what ImageNet models are trained on, for a model that takes any height or width


def check(flags: ResnetFlags) -> None:
    """Refuse flags that contradict each other, before any server is asked."""
    if flags.images and flags.images_numpy_path:
        raise WrongUsage("--images and --images_numpy_path exclude each other.")
    if flags.labels_numpy_path and not (flags.images or flags.images_numpy_path):
        raise WrongUsage("--labels_numpy_path needs --images_numpy_path or --images.")


def load(flags: ResnetFlags, target: InputTarget, model: ModelMetadata) -> Dataset:
    """The pictures the flags name, else the packaged ones, fit for the model's input."""
    try:
        if flags.images_numpy_path:
            return from_numpy(flags.images_numpy_path, flags.labels_numpy_path, flags.transpose, target.image)
        if target.image is None:
            raise no_image_input(model, demultiplexed=flags.dag_batch_size_auto)
        return _from_files(flags, target.image) if flags.images else _packaged(target.image)
    except BadDataset as error:
        raise CommandFailed(str(error)) from error


def _from_files(flags: ResnetFlags, image: ImageInput) -> Dataset:
    from ovclient.cli.collect import collect  # noqa: PLC0415 - who brings a .npy file needs no OpenCV

    found = collect(flags.images, *_size(image))
    return _dataset(found, image, ", ".join(map(str, flags.images)), flags.labels_numpy_path)


def _packaged(image: ImageInput) -> Dataset:
    """Samples for an input: digits of known class where it takes such, else photographs of no known class."""
    if image.channels == 1 and (image.height, image.width) == DIGIT_SIZE:
        return digits(image)
    from ovclient.pictures import samples  # noqa: PLC0415 - as above

    return _dataset(samples("things", "portraits"), image, "packaged samples")


def _dataset(found: "tuple[Picture, ...]", image: ImageInput, source: str, labels: Path | None = None) -> Dataset:
    from ovclient.pictures import stack  # noqa: PLC0415 - as above

    pixels = image.arrange(stack(found, *_size(image), image.channels))
    return from_pictures(pixels, [picture.name for picture in found], source, labels)


def _size(image: ImageInput) -> tuple[int, int]:
    return image.width or _ANY_SIZE, image.height or _ANY_SIZE
