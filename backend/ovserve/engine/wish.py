"""The shapes that a configuration asks of a model: those that clients send, layouts have been converted before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import openvino as ov

from ovserve.config.model import ModelConfig
from ovserve.config.shapes import AUTO, Auto, ShapeSetting, show_batch_size, show_shapes
from ovserve.engine.arrangement import Arrangement
from ovserve.engine.dynamic import AutoAxes, Dims
from ovserve.engine.names import Names
from ovserve.engine.refused import Refused
from ovserve.engine.specs import own_dims
from ovserve.tensors import Dim

IGNORED_BATCH_SIZE = "Both shape and batch size have been defined. Batch size parameter will be ignored."


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of each input, in the model's order, in place of its own shape (None keeps that).

    `auto` names the dimensions of each input that requests decide; `text` is the setting as it was written;
    `batch_axes` are where the inputs count what is in a batch.
    """

    text: str
    dims: tuple[Dims | None, ...]
    batch_axes: tuple[int | None, ...]
    auto: AutoAxes = field(default_factory=dict)


def read_wish(model: ov.Model, names: Names, inputs: Sequence[Arrangement], config: ModelConfig) -> Wish | None:
    """Find what the configuration asks for, shape before batch size; raises `Refused` for names that are not there."""
    owns = [own_dims(tensor) for tensor in model.inputs]
    axes = tuple(
        None if own is None else arrangement.batch_axis(len(own)) for own, arrangement in zip(owns, inputs, strict=True)
    )
    if config.shape is not None:
        shapes = _shape_by_input(names, config)
        wanted = [shapes.get(name) for name in names.inputs]
        auto = {
            name: frozenset(range(len(own or ())))
            for name, own, shape in zip(names.inputs, owns, wanted, strict=True)
            if shape is AUTO
        }
        dims = tuple(None if isinstance(shape, Auto) else shape for shape in wanted)
        return Wish(f"shape {show_shapes(config.shape)}", dims, axes, auto)
    if config.batch_size is None:
        return None
    text = f"batch_size {show_batch_size(config.batch_size)}"
    if isinstance(config.batch_size, Auto):
        auto = {name: frozenset({axis}) for name, axis in zip(names.inputs, axes, strict=True) if axis is not None}
        return Wish(text, (None,) * len(owns), axes, auto)
    dim = _padded(config, config.batch_size, owns, axes)
    return Wish(text, tuple(_with(own, axis, dim) for own, axis in zip(owns, axes, strict=True)), axes)


def _padded(config: ModelConfig, batch: Dim, owns: Sequence[Dims | None], axes: Sequence[int | None]) -> Dim:
    """Have the largest batch only, where the model has a batch of its own and smaller ones are to be filled up."""
    if config.declared is None or not config.declared.pads_batch or batch.high != config.declared.max_batch_size:
        return batch
    is_static = all(
        own is not None and axis is not None and own[axis].is_static for own, axis in zip(owns, axes, strict=True)
    )
    return Dim(batch.high, batch.high) if is_static else batch


def _shape_by_input(names: Names, config: ModelConfig) -> Mapping[str, ShapeSetting]:
    shape = config.shape
    if isinstance(shape, Mapping):
        names.check(shape, names.inputs, "shape")
        return shape
    if shape is None:
        return {}
    if shape is not AUTO and len(names.inputs) > 1:
        raise Refused(f"shape without names is for a model with one input; this one has {', '.join(names.inputs)}")
    return dict.fromkeys(names.inputs, shape)


def _with(own: Dims | None, axis: int | None, dim: Dim) -> Dims | None:
    return None if own is None or axis is None else (*own[:axis], dim, *own[axis + 1 :])
