"""A Triton model configuration's inputs and outputs -> what a Python model takes and gives. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ovserve.engine.refused import Refused
from ovserve.tensors import ANY, BY_KSERVE, Dim, DType, TensorSpec

_UNDECLARED = (
    "it declares no {what}: add_input and add_output in auto_complete_config declare tensors, "
    "or input and output of the model configuration"
)


def declared_specs(document: Mapping[str, Any], what: str) -> tuple[TensorSpec, ...]:
    """Read the tensors under `what`, input or output; raises `Refused` with one sentence."""
    tensors: Sequence[Mapping[str, Any]] = document[what]
    if not tensors:
        raise Refused(_UNDECLARED.format(what=what))
    for name, times in Counter(tensor.get("name") for tensor in tensors).items():
        if not name:
            raise Refused(f"it declares an {what} without a name")
        if times > 1:
            raise Refused(f"it declares {what} '{name}' {times} times")
    return tuple(_spec(tensor, f"{what} '{tensor['name']}'", document["max_batch_size"]) for tensor in tensors)


def _spec(tensor: Mapping[str, Any], label: str, max_batch_size: int) -> TensorSpec:
    if "reshape" in tensor:
        raise Refused(f"{label}: reshape is not supported for Python models")
    declared = tensor.get("data_type")
    dtype = DType.BYTES if declared == "TYPE_STRING" else BY_KSERVE.get(str(declared).removeprefix("TYPE_"))
    if dtype is None or not str(declared).startswith("TYPE_") or declared == "TYPE_BYTES":
        raise Refused(f"{label}: data_type must be TYPE_FP32, TYPE_STRING or the like, got {declared}")
    if "dims" not in tensor:
        raise Refused(f"{label}: dims are missing")
    wrong = [dim for dim in tensor["dims"] if dim != -1 and dim < 1]
    if wrong:
        raise Refused(f"{label}: a dimension must be at least 1, or -1 for any, got {wrong[0]}")
    dims = tuple(ANY if dim == -1 else Dim(dim, dim) for dim in tensor["dims"])
    if max_batch_size > 0:
        return TensorSpec(tensor["name"], dtype, (Dim(1, max_batch_size), *dims), batch_axis=0)
    return TensorSpec(tensor["name"], dtype, dims)
