"""What a run gave, and how long its stages took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ovserve.tensors import Tensor


@dataclass(frozen=True, slots=True)
class NodeRun:
    """When a pipeline's node began to run (by `perf_counter_ns`), how long it took, and its model within that."""

    node: str
    model: str
    version: int
    begun_ns: int
    took_ns: int
    infer_ns: int


@dataclass(frozen=True, slots=True)
class Ran:
    """Outputs, and nanoseconds for bringing in the inputs, for the model itself, and for taking out the outputs.

    Of a pipeline, the first ones of its nodes' runs too.
    """

    outputs: Mapping[str, Tensor]
    infer_ns: int
    input_ns: int = 0
    output_ns: int = 0
    nodes: Sequence[NodeRun] = ()
