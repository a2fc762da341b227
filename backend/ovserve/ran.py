"""What a run gave, and how long its stages took."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovserve.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Ran:
    """Outputs, and nanoseconds for bringing in the inputs, for the model itself, and for taking out the outputs."""

    outputs: Mapping[str, Tensor]
    infer_ns: int
    input_ns: int = 0
    output_ns: int = 0
