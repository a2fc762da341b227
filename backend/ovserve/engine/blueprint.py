"""A model as its configuration wants it, before it takes its shapes."""

from collections.abc import Mapping
from dataclasses import dataclass

import openvino as ov

from ovserve.config.model import ModelConfig
from ovserve.engine.arrangement import Arrangement, arrange
from ovserve.engine.names import Names, read_names
from ovserve.engine.preprocess import preprocess
from ovserve.engine.wish import IGNORED_BATCH_SIZE, Wish, read_wish
from ovserve.repository.mapping import NameMapping


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The model with its layouts and preprocessing built in, and the shapes that are wished for (None: its own).

    `model` is only ever cloned, so any number of shapes can be made of it.
    """

    model: ov.Model
    names: Names
    inputs: tuple[Arrangement, ...]
    outputs: tuple[Arrangement, ...]
    wish: Wish | None
    warnings: tuple[str, ...]


def draw(model: ov.Model, mapping: NameMapping, config: ModelConfig) -> Blueprint:
    """Check the configuration against the model and build in what is not a shape; raises `Refused`."""
    names = read_names(model, mapping)
    if isinstance(config.layout, Mapping):
        names.check(config.layout, (*names.inputs, *names.outputs), "layout")
    inputs = arrange(model.inputs, names.inputs, config.layout, "input")
    outputs = arrange(model.outputs, names.outputs, config.layout, "output")
    built = preprocess(model, names, inputs, outputs, config)
    ignored = config.shape is not None and config.batch_size is not None
    warnings = (IGNORED_BATCH_SIZE,) if ignored else ()
    return Blueprint(built, names, inputs, outputs, read_wish(built, names, inputs, config), warnings)
