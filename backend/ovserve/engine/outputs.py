"""What becomes of the outputs of a run: copied out, lent, or left where the client wants them in shared memory.

In any case before the slot's next request, with which they end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from ovserve.engine import strings
from ovserve.errors import InvalidInput
from ovserve.shared_memory import Window
from ovserve.shared_tensor import SharedTensor
from ovserve.tensors import Array, DType, Tensor

NO_PLACES: Mapping[str, Window] = MappingProxyType({})

# Makes one that may be kept of an output, by its place; None where it has to be copied.
Lend: TypeAlias = Callable[[int, Array], Array | None]


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor of the model and the first of the compiled model's ports that carry it (a string takes three)."""

    name: str
    dtype: DType
    index: int


def take_out(
    ports: Sequence[Port], given: Sequence[Array], places: Mapping[str, Window], lend: Lend | None = None
) -> dict[str, Tensor]:
    """Leave in their `places` all outputs that have one, and lend or copy out the others.

    Where not all of them can be left there none counts as left, and all are taken out: whoever answers says what is
    wrong. Strings are copied out in any case.
    """
    left = _leave(ports, given, places) if places else {}
    return {port.name: left.get(port.name) or Tensor(port.dtype, _taken(port, given, lend)) for port in ports}


def _leave(ports: Sequence[Port], given: Sequence[Array], places: Mapping[str, Window]) -> dict[str, Tensor]:
    found = []
    for port in ports:
        if port.name in places and port.dtype is not DType.BYTES:
            data, place = given[port.index], places[port.name]
            raw = np.ascontiguousarray(data).reshape(-1).view(np.uint8).data
            if not place.has_room(raw):
                return {}
            found.append((port, data.shape, raw, place))
    try:
        for port, _, raw, place in found:
            place.write(raw, f"output '{port.name}'")
    except InvalidInput:
        return {}
    return {port.name: SharedTensor(port.dtype, shape, place) for port, shape, _, place in found}


def _taken(port: Port, given: Sequence[Array], lend: Lend | None) -> Array:
    if port.dtype is DType.BYTES:
        begins, ends, characters = given[port.index : port.index + 3]
        return strings.unpack(begins, ends, characters)
    data, dtype = given[port.index], port.dtype.numpy
    lent = None if lend is None else lend(port.index, data)
    if lent is None:
        lent = data.copy()
    return lent if lent.dtype == dtype else lent.view(dtype)
