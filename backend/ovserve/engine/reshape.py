"""A model in the shapes that were asked for."""

import openvino as ov

from ovserve.engine.dynamic import Dims, make_dynamic, make_dynamic_untried, reshaped
from ovserve.engine.names import Names
from ovserve.engine.refused import CannotReshape
from ovserve.engine.specs import own_dims
from ovserve.engine.wish import Wish
from ovserve.tensors import Dim


def reshape(model: ov.Model, names: Names, wish: Wish) -> ov.Model:
    """Make a model of the shapes asked for; raises `CannotReshape` with OpenVINO's reason.

    What is `auto` becomes dynamic where the model can vary it. `model` itself stays as it is.
    """
    if not any(wish.dims) and not any(wish.auto.values()):
        raise CannotReshape(f"{wish.text}: no input has a dimension for it")
    try:
        _try_batch(model, wish)
        return _with_auto(model, names, wish) if wish.auto else reshaped(model, wish.dims)
    except CannotReshape as error:
        raise CannotReshape(f"{wish.text}: {error}") from error


def _with_auto(model: ov.Model, names: Names, wish: Wish) -> ov.Model:
    try:
        fixed = reshaped(model, wish.dims)
    except CannotReshape:
        # The shapes given may not go with the own shapes of the inputs that are auto.
        return make_dynamic_untried(model, names, wish.auto, wish.dims)
    return make_dynamic(fixed, names, wish.auto)


def _try_batch(model: ov.Model, wish: Wish) -> None:
    """Try one batch, where all are to vary that the model has.

    A model that cannot be batched often takes a dynamic batch, and fails at the first request.
    """
    examples = list(wish.dims)
    for index, (tensor, axis) in enumerate(zip(model.inputs, wish.batch_axes, strict=True)):
        if axis is None:
            continue
        own, dims = own_dims(tensor), wish.dims[index]
        if own is None or dims is None or not own[axis].is_static or len(dims) != len(own) or dims[axis].is_static:
            return
        examples[index] = _with(dims, axis, _example(own[axis].low, dims[axis]))
    if tuple(examples) != wish.dims:
        reshaped(model, examples)


def _example(own: int, dim: Dim) -> Dim:
    length = next(length for length in (2 * own, 2, dim.low) if dim.admits(length))
    return Dim(length, length)


def _with(dims: Dims, axis: int, dim: Dim) -> Dims:
    return (*dims[:axis], dim, *dims[axis + 1 :])
