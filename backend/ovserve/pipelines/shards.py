"""Into how many shards a demultiplexer's tensors are split (spec G.3, decision 14)."""

from collections.abc import Mapping

from ovserve.config.pipeline import MAX_DEMULTIPLY_COUNT, REQUEST
from ovserve.errors import InferenceFailed, WrongShape
from ovserve.tensors import Tensor, list_text


def count_shards(node: str, tensors: Mapping[str, Tensor], demultiply_count: int) -> int:
    """Count the shards of all tensors together; -1 takes as many as there are.

    Raises `WrongShape` for what the client sent, `InferenceFailed` for what a node gave.
    """
    count: int | None = None if demultiply_count == -1 else demultiply_count
    first = ""
    for name, tensor in tensors.items():
        found = tensor.shape[0] if len(tensor.shape) > 1 else None
        if found is None:
            raise _wrong(node, name, tensor, "at least 2 dimensions, the first of which is split")
        if found > MAX_DEMULTIPLY_COUNT:
            raise _wrong(node, name, tensor, f"at most {MAX_DEMULTIPLY_COUNT} to split")
        if count is not None and found != count:
            expected = f"demultiply_count {count}" if not first else f"{count} as the first dimension, as '{first}' has"
            raise _wrong(node, name, tensor, expected)
        count, first = found, first or (name if demultiply_count == -1 else "")
    return count or 0


def _wrong(node: str, name: str, tensor: Tensor, expected: str) -> Exception:
    sentence = f"has shape {list_text(tensor.shape)}, expected {expected}"
    if node == REQUEST:
        return WrongShape(f"input '{name}' {sentence}")
    return InferenceFailed(f"output '{name}' {sentence}")
