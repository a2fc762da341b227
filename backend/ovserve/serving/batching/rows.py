"""How many rows of a batch a request brings. Pure."""

from collections.abc import Mapping

from ovserve.errors import WrongShape
from ovserve.tensors import Tensor


def count_rows(inputs: Mapping[str, Tensor], most: int) -> int:
    """Count the rows of a request, which is one itself where there are no batches (`most` 0) or no inputs.

    Raises `WrongShape` where the inputs are no batch together, or one of more than `most` rows.
    """
    if most == 0:
        return 1
    rows: int | None = None
    first = ""
    for name, tensor in inputs.items():
        if not tensor.shape:
            raise WrongShape(f"input '{name}' has no dimensions, expected a batch as the first one")
        if rows is None:
            rows, first = tensor.shape[0], name
        elif tensor.shape[0] != rows:
            raise WrongShape(f"input '{name}' has a batch of {tensor.shape[0]}, expected {rows} as '{first}' has")
    if rows is None:
        return 1
    if rows > most:
        raise WrongShape(f"expected a batch of at most max_batch_size {most}, got {rows}")
    return rows
