"""Stacks shards into one tensor (spec G.3, decision 13)."""

from collections.abc import Sequence

import numpy as np

from ovserve.errors import InferenceFailed, NoContent
from ovserve.tensors import DType, Tensor, TensorSpec, list_text


def stack(shards: Sequence[Tensor], label: str) -> Tensor:
    """Put shard i at position i of a new first dimension; raises `InferenceFailed` where they differ."""
    first = shards[0]
    for index, shard in enumerate(shards):
        if shard.shape != first.shape or shard.dtype is not first.dtype:
            raise InferenceFailed(
                f"{label} cannot be gathered: shard 0 is {first.dtype.kserve} {list_text(first.shape)}, "
                f"shard {index} {shard.dtype.kserve} {list_text(shard.shape)}"
            )
    return Tensor(first.dtype, np.stack([shard.data for shard in shards]))


def empty(spec: TensorSpec | None, label: str) -> Tensor:
    """Make what no shards are, where the shape of one is known; else raises `NoContent`."""
    if spec is None or spec.dtype is None or spec.dims is None or not all(dim.is_static for dim in spec.dims):
        raise NoContent(f"{label} has no shards to gather, and the shape of one is not known")
    shape = (0, *(dim.low for dim in spec.dims))
    return Tensor(spec.dtype, np.empty(shape, np.object_ if spec.dtype is DType.BYTES else spec.dtype.numpy))
