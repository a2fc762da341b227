"""Which of a model's tensors to use, by the flags and the model's metadata. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ovclient._types import ModelMetadata, TensorMetadata
from ovclient.cli.failure import CommandFailed, UnknownName
from ovclient.image_input import ImageInput, find

_IMAGENET_WIDTHS = (1000, 1001)


@dataclass(frozen=True, slots=True)
class InputTarget:
    """The input to send to; `image` is None where its shape is no picture's."""

    name: str
    datatype: str
    image: ImageInput | None


def pick_input(model: ModelMetadata, wanted: str | None, *, demultiplexed: bool = False) -> InputTarget:
    """The input of that name, else the first image input."""
    if wanted is None:
        image = find(model, demultiplexed=demultiplexed)
        if image is None:
            raise no_image_input(model, demultiplexed=demultiplexed)
        return InputTarget(image.name, image.datatype, image)
    tensor = _named(model.inputs, wanted, "input")
    return InputTarget(tensor.name, tensor.datatype, ImageInput.of(tensor, demultiplexed=demultiplexed))


def pick_output(model: ModelMetadata, wanted: str | None) -> str:
    """The output of that name, else the first that is as wide as ImageNet, else the first."""
    if wanted is not None:
        return _named(model.outputs, wanted, "output").name
    if not model.outputs:
        raise CommandFailed(f"model '{model.name}' has no outputs")
    imagenet = (tensor for tensor in model.outputs if set(tensor.shape[1:]) & set(_IMAGENET_WIDTHS))
    return next(imagenet, model.outputs[0]).name


def pick_detector(model: ModelMetadata) -> tuple[ImageInput, str]:
    """The image input and the output of a detector: the only ones, else `data` and `detection_out`."""
    inputs = [tensor for tensor in model.inputs if len(model.inputs) == 1 or tensor.name == "data"]
    outputs = [tensor.name for tensor in model.outputs if len(model.outputs) == 1 or tensor.name == "detection_out"]
    image = ImageInput.of(inputs[0]) if inputs else find(model)
    if image is None:
        raise no_image_input(model)
    if not outputs:
        names = [tensor.name for tensor in model.outputs]
        raise CommandFailed(f"model '{model.name}' has no output 'detection_out', only {names}")
    return image, outputs[0]


def no_image_input(model: ModelMetadata, *, demultiplexed: bool = False) -> CommandFailed:
    """The sentence for a model that takes no pictures."""
    inputs = ", ".join(f"'{tensor.name}' {tensor.datatype}{list(tensor.shape)}" for tensor in model.inputs) or "none"
    hint = "" if demultiplexed or find(model, demultiplexed=True) is None else " (try --dag-batch-size-auto)"
    return CommandFailed(f"model '{model.name}' has no 4-D image input; its inputs: {inputs}{hint}")


def _named(tensors: Sequence[TensorMetadata], name: str, kind: str) -> TensorMetadata:
    for tensor in tensors:
        if tensor.name == name:
            return tensor
    available = "\n".join(tensor.name for tensor in tensors)
    raise UnknownName(f"Invalid {kind} name {name}\nAvailable {kind}s:\n{available}")
