"""Requests as one batch, and its outputs as theirs. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from ovserve.errors import InferenceFailed
from ovserve.tensors import Array, DType, Tensor, list_text

Tensors = Mapping[str, Tensor]


def join(parts: Sequence[Tensors], padded_to: int = 0) -> Tensors:
    """Put inputs of the same names one below the other; with rows of nothing up to `padded_to`."""
    return {
        name: Tensor(first.dtype, _stacked([part[name] for part in parts], padded_to))
        for name, first in parts[0].items()
    }


def _stacked(parts: Sequence[Tensor], padded_to: int) -> Array:
    arrays = [part.data for part in parts]
    missing = padded_to - sum(len(array) for array in arrays)
    if missing > 0:
        nothing = b"" if parts[0].dtype is DType.BYTES else 0
        arrays.append(np.full((missing, *arrays[0].shape[1:]), nothing, arrays[0].dtype))
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def split(outputs: Tensors, rows: Sequence[int], total: int) -> list[dict[str, Tensor]]:
    """Give each part its rows, as views; `total` is what the batch had with its padding.

    Raises `InferenceFailed` for an output that has another number of rows.
    """
    for name, tensor in outputs.items():
        if not tensor.shape or tensor.shape[0] != total:
            raise InferenceFailed(
                f"output '{name}' has shape {list_text(tensor.shape)} for a batch of {total}, "
                f"so its rows cannot be told apart"
            )
    found: list[dict[str, Tensor]] = []
    begin = 0
    for count in rows:
        end = begin + count
        found.append({name: Tensor(tensor.dtype, tensor.data[begin:end]) for name, tensor in outputs.items()})
        begin = end
    return found
