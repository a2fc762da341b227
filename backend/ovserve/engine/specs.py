"""A model's tensors as clients see them, and the ports of the compiled model that carry them."""

from collections.abc import Sequence

import openvino as ov

from ovserve.engine.arrangement import Arrangement
from ovserve.engine.outputs import Port
from ovserve.engine.refused import Refused
from ovserve.tensors import BY_OPENVINO, Dim, DType, TensorSpec

PORTS_OF_A_STRING = 3


def read_specs(
    tensors: Sequence[ov.Output], names: Sequence[str], arrangements: Sequence[Arrangement]
) -> tuple[TensorSpec, ...]:
    """Describe the tensors of a model that has its final shapes and layouts."""
    return tuple(map(_spec, tensors, names, arrangements))


def own_dims(tensor: ov.Output) -> tuple[Dim, ...] | None:
    """The lengths that the model takes along each dimension; None for any rank."""
    shape = tensor.partial_shape
    return None if shape.rank.is_dynamic else tuple(map(_dim, shape))


def ports(specs: Sequence[TensorSpec]) -> tuple[Port, ...]:
    """Where each tensor begins among the compiled model's ports."""
    found: list[Port] = []
    index = 0
    for spec in specs:
        assert spec.dtype is not None  # noqa: S101 - a model's tensors have one
        found.append(Port(spec.name, spec.dtype, index))
        index += PORTS_OF_A_STRING if spec.dtype is DType.BYTES else 1
    return tuple(found)


def _spec(tensor: ov.Output, name: str, arrangement: Arrangement) -> TensorSpec:
    element = tensor.element_type.get_type_name()
    dtype = BY_OPENVINO.get(element)
    if dtype is None:
        raise Refused(f"tensor '{name}' has element type {element}, which KServe v2 has no datatype for")
    dims = own_dims(tensor)
    known = arrangement.client
    layout = str(known) if known is not None and (dims is None or known.fits(len(dims))) else None
    return TensorSpec(name, dtype, dims, layout, None if dims is None else arrangement.batch_axis(len(dims)))


def _dim(dim: ov.Dimension) -> Dim:
    high = dim.get_max_length()
    return Dim(dim.get_min_length(), None if high < 0 else high)
