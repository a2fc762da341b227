"""A model in other shapes, and which of its dimensions it can vary at all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import openvino as ov

from ovserve.engine.names import Names
from ovserve.engine.reasons import reason
from ovserve.engine.refused import CannotReshape
from ovserve.engine.specs import own_dims
from ovserve.tensors import ANY, Dim

Dims: TypeAlias = tuple[Dim, ...]

# The dimensions of each input that requests decide, by the input's name.
AutoAxes: TypeAlias = Mapping[str, frozenset[int]]

_Place = tuple[int, int]  # an input and one of its dimensions


def reshaped(model: ov.Model, dims: Sequence[Dims | None]) -> ov.Model:
    """Make a copy with other shapes of its inputs, in their order (None keeps one); raises `CannotReshape`."""
    copy = model.clone()
    shapes = {index: _partial_shape(lengths) for index, lengths in enumerate(dims) if lengths is not None}
    try:
        copy.reshape(shapes)
    except RuntimeError as error:
        raise CannotReshape(reason(error)) from error
    return copy


def make_dynamic(model: ov.Model, names: Names, auto: AutoAxes) -> ov.Model:
    """Make a copy in which the dimensions named take any length, as far as the model can vary them.

    A dimension can vary if the model takes twice its length: OpenVINO often accepts a dynamic dimension at first and
    fails at the request. Raises `CannotReshape` where nothing can vary.
    """
    owns = [own_dims(tensor) or () for tensor in model.inputs]
    wanted = [(index, axis) for index, name in enumerate(names.inputs) for axis in sorted(auto.get(name, ()))]
    static = [(index, axis) for index, axis in wanted if owns[index][axis].is_static]
    if not static:
        return model
    varying, refusals = _varying(model, owns, static)
    if not varying and len(static) == len(wanted):
        raise refusals[0]
    return reshaped(model, _with(owns, varying, lambda _: ANY))


def make_dynamic_untried(model: ov.Model, names: Names, auto: AutoAxes, dims: Sequence[Dims | None]) -> ov.Model:
    """Make a copy in which all dimensions named take any length, and the other inputs have the shapes given.

    Raises `CannotReshape`.
    """
    owns = [own_dims(tensor) or () for tensor in model.inputs]
    wanted = [(index, axis) for index, name in enumerate(names.inputs) for axis in sorted(auto.get(name, ()))]
    free = _with(owns, wanted, lambda _: ANY)
    return reshaped(model, [given if given is not None else free[index] for index, given in enumerate(dims)])


def _varying(
    model: ov.Model, owns: Sequence[Dims], static: Sequence[_Place]
) -> tuple[list[_Place], list[CannotReshape]]:
    """Find which places can vary: a dimension of all inputs together, else of each that allows it."""
    varying: list[_Place] = []
    refusals: list[CannotReshape] = []
    for axis in sorted({axis for _, axis in static}):
        group = [place for place in static if place[1] == axis]
        refusal = _refusal(model, owns, group)
        if refusal is None:
            varying += group
            continue
        refusals.append(refusal)
        if len(group) > 1:
            varying += [place for place in group if _refusal(model, owns, [place]) is None]
    return varying, refusals


def _refusal(model: ov.Model, owns: Sequence[Dims], places: Iterable[_Place]) -> CannotReshape | None:
    try:
        reshaped(model, _with(owns, places, lambda dim: Dim(dim.low * 2 or 1, dim.low * 2 or 1)))
    except CannotReshape as error:
        return error
    return None


def _with(owns: Sequence[Dims], places: Iterable[_Place], change: Callable[[Dim], Dim]) -> list[Dims | None]:
    """Change the dimensions at `places`; inputs without one keep their shape."""
    dims: dict[int, list[Dim]] = {}
    for index, axis in places:
        dims.setdefault(index, list(owns[index]))[axis] = change(owns[index][axis])
    return [tuple(dims[index]) if index in dims else None for index in range(len(owns))]


def _partial_shape(dims: Dims) -> ov.PartialShape:
    return ov.PartialShape([ov.Dimension(dim.low, -1 if dim.high is None else dim.high) for dim in dims])
