"""Triton's classification extension: the highest values of an output, with their places and names. Pure.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ovserve.errors import InvalidInput, WrongTensors
from ovserve.tensors import Array, DType, Tensor, TensorSpec

_NOT_NUMBERS = (DType.BOOL, DType.BYTES)


def check(wanted: Mapping[str, int], outputs: Sequence[TensorSpec], label: str) -> None:
    """Raise `InvalidInput` where classes are `wanted` of what has none; sentences begin with `label`."""
    known = {spec.name: spec for spec in outputs}
    for name, count in wanted.items():
        if name not in known:
            listed = ", ".join(f"'{each}'" for each in known)
            raise WrongTensors(f"{label} has no output '{name}'; it has {listed}")
        if count < 1:
            raise InvalidInput(f"{label}: output '{name}': classification expects 1 or more classes, got {count}")
        _check_datatype(known[name].dtype, f"{label}: output '{name}'")


def classify(tensor: Tensor, count: int, names: Sequence[bytes], label: str, *, has_rows: bool) -> Tensor:
    """Make BYTES of the `count` highest values, each `value:index` or `value:index:name`, the highest first.

    With `has_rows` each row along the first dimension has its own, [rows, count]; else there is one list, [count].
    There are fewer where there are fewer values. Of equal values the first comes first; what is not a number is last.
    """
    _check_datatype(tensor.dtype, label)
    rows = tensor.data.shape[0] if has_rows else 1
    length = math.prod(tensor.data.shape[1:] if has_rows else tensor.data.shape)
    values = _numbers(tensor).reshape(rows, length)
    classes = np.empty((rows, min(count, length)), np.object_)
    for row, found in enumerate(values):
        for place, index in enumerate(_highest(found, classes.shape[1])):
            classes[row, place] = _text(found[index], index, names)
    return Tensor(DType.BYTES, classes if has_rows else classes[0])


def _check_datatype(dtype: DType | None, label: str) -> None:
    if dtype in _NOT_NUMBERS:
        raise InvalidInput(f"{label} has datatype {dtype.kserve}, of which there is no classification")


def _numbers(tensor: Tensor) -> Array:
    match tensor.dtype:
        case DType.BF16:
            return (tensor.data.astype(np.uint32) << 16).view(np.float32)
        case DType.FP16:
            return tensor.data.astype(np.float32)
    return tensor.data


def _highest(row: Array, count: int) -> list[int]:
    if row.dtype.kind == "f":
        row = np.where(np.isnan(row), -np.inf, row)
    # Sorted backwards from behind, so that of equal values the first is first.
    order = len(row) - 1 - np.argsort(row[::-1], kind="stable")[::-1]
    return [int(index) for index in order[:count]]


def _text(value: np.generic, index: int, names: Sequence[bytes]) -> bytes:
    number = f"{value:f}" if value.dtype.kind == "f" else str(value)
    text = f"{number}:{index}".encode()
    return text + b":" + names[index] if index < len(names) else text
