"""What a run gave, and how long its stages took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Ran(NamedTuple):
    """Outputs, and nanoseconds for the inputs (decoding, bringing in), for the model, and for taking out the outputs.

    Of a pipeline, the first ones of its nodes' runs too. Where several requests ran as one batch, `executed` is the
    size of that for one of them, and 0 for the others.
    """

    outputs: Mapping[str, Tensor]
    infer_ns: int
    input_ns: int = 0
    output_ns: int = 0
    nodes: Sequence[NodeRun] = ()
    executed: int | None = None

    def prepared_in(self, prepared_ns: int) -> "Ran":
        """Add the time in which inputs were made ready before the run."""
        return self._replace(input_ns=self.input_ns + prepared_ns) if prepared_ns else self
