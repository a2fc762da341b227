"""Models that take one batch size only, and requests of any up to that. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ovserve.config.declared import TritonConfig
from ovserve.tensors import Dim, TensorSpec


@dataclass(frozen=True, slots=True)
class FixedBatch:
    """The only number of rows that a model takes, and whether a batch of fewer is filled up."""

    rows: int
    pads: bool


def find(declared: TritonConfig | None, inputs: Iterable[TensorSpec]) -> FixedBatch | None:
    """Tell whether a model takes its max_batch_size and nothing else."""
    most = 0 if declared is None else declared.max_batch_size
    if declared is None or most <= 1 or not all(_is_fixed(spec, most) for spec in inputs):
        return None
    return FixedBatch(most, declared.pads_batch)


def widened(specs: Sequence[TensorSpec], fixed: FixedBatch) -> tuple[TensorSpec, ...]:
    """Show clients that requests may have any batch up to the fixed one."""
    return tuple(
        replace(spec, dims=(Dim(1, fixed.rows), *(spec.dims or ())[1:])) if _is_fixed(spec, fixed.rows) else spec
        for spec in specs
    )


def _is_fixed(spec: TensorSpec, rows: int) -> bool:
    return bool(spec.dims) and spec.batch_axis == 0 and spec.dims is not None and spec.dims[0] == Dim(rows, rows)
