"""Models that take one batch size only, and requests of any up to that. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import LoadedModel
from ovserve.tensors import Dim, TensorSpec


@dataclass(frozen=True, slots=True)
class FixedBatch:
    """The only number of rows that a model takes, and whether a batch of fewer is filled up."""

    rows: int
    pads: bool


def find(config: ModelConfig, inputs: Iterable[TensorSpec]) -> FixedBatch | None:
    """Tell whether a model takes its max_batch_size and nothing else; one that keeps sequences gets what is sent."""
    declared = config.declared
    if declared is None or declared.max_batch_size <= 1 or config.keeps_sequences:
        return None
    most = declared.max_batch_size
    return FixedBatch(most, declared.pads_batch) if all(_is_fixed(spec, most) for spec in inputs) else None


def widened(loaded: LoadedModel, fixed: FixedBatch | None) -> LoadedModel:
    """Show clients that requests may have any batch up to the fixed one, if there is one."""
    if fixed is None:
        return loaded
    inputs, outputs = (
        tuple(
            replace(spec, dims=(Dim(1, fixed.rows), *(spec.dims or ())[1:])) if _is_fixed(spec, fixed.rows) else spec
            for spec in specs
        )
        for specs in (loaded.inputs, loaded.outputs)
    )
    return replace(loaded, inputs=inputs, outputs=outputs)


def _is_fixed(spec: TensorSpec, rows: int) -> bool:
    return bool(spec.dims) and spec.batch_axis == 0 and spec.dims is not None and spec.dims[0] == Dim(rows, rows)
