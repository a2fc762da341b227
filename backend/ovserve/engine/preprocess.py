"""Layouts, colour, precision, mean and scale, built into the model in front of its inputs and behind its outputs."""

from collections.abc import Sequence
from typing import Any

import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from ovserve.config.model import ModelConfig
from ovserve.engine.arrangement import Arrangement
from ovserve.engine.names import Names
from ovserve.engine.reasons import reason
from ovserve.engine.refused import Refused

_COLORS = {
    "RGB": ColorFormat.RGB,
    "BGR": ColorFormat.BGR,
    "GRAY": ColorFormat.GRAY,
    "NV12": ColorFormat.NV12_SINGLE_PLANE,
    "I420": ColorFormat.I420_SINGLE_PLANE,
}
_STEPS = ("color_format", "precision", "mean", "scale")


def preprocess(
    model: ov.Model,
    names: Names,
    inputs: Sequence[Arrangement],
    outputs: Sequence[Arrangement],
    config: ModelConfig,
) -> ov.Model:
    """Build what is configured into the model, so that its inputs and outputs are as clients see them.

    Raises `Refused`.
    """
    steps = [step for step in _STEPS if getattr(config, step) is not None]
    if not steps and not any(arrangement.converts for arrangement in (*inputs, *outputs)):
        return model
    _check(names, inputs, outputs, steps)
    try:
        processor = PrePostProcessor(model)
        for index, arrangement in enumerate(inputs):
            _lay_out(processor.input(index), arrangement)
        for index, arrangement in enumerate(outputs):
            _lay_out(processor.output(index), arrangement)
        if steps:
            _add_steps(processor.input(0), config)
        return processor.build()
    except (RuntimeError, ValueError, TypeError) as error:
        raise Refused(f"{', '.join(steps) or 'layout'} cannot be applied to the model: {reason(error)}") from error


def _check(names: Names, inputs: Sequence[Arrangement], outputs: Sequence[Arrangement], steps: Sequence[str]) -> None:
    if steps and len(names.inputs) > 1:
        raise Refused(f"{steps[0]} is for a model with one input; this one has {', '.join(names.inputs)}")
    both = sorted(set(names.inputs) & set(names.outputs))
    if both and any(arrangement.converts for arrangement in (*inputs, *outputs)):
        raise Refused(f"the layout cannot be changed, as '{both[0]}' is the name of an input and of an output")


def _lay_out(info: Any, arrangement: Arrangement) -> None:
    if arrangement.client is not None and arrangement.model is not None:
        info.tensor().set_layout(ov.Layout(arrangement.client.text))
        info.model().set_layout(ov.Layout(arrangement.model.text))


def _add_steps(info: Any, config: ModelConfig) -> None:
    """Add the steps in OVMS's order: colour, precision, mean, scale."""
    if config.color_format is not None:
        info.tensor().set_color_format(_color(config.color_format.client))
        info.preprocess().convert_color(_color(config.color_format.model))
    if config.precision is not None:
        info.tensor().set_element_type(_element_type(config.precision.client))
        info.preprocess().convert_element_type(_element_type(config.precision.model))
    if config.mean is not None:
        info.preprocess().mean(_numbers(config.mean))
    if config.scale is not None:
        info.preprocess().scale(_numbers(config.scale))


def _color(name: str) -> ColorFormat:
    if name not in _COLORS:
        raise Refused(f"color_format {name} would make several inputs of one, which is not supported")
    return _COLORS[name]


def _element_type(name: str) -> ov.Type:
    return getattr(ov.Type, name.lower().replace("uint", "u").replace("int", "i").replace("fp", "f"))


def _numbers(numbers: float | tuple[float, ...]) -> float | list[float]:
    return numbers if isinstance(numbers, float) else list(numbers)
