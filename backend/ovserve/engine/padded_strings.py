"""Strings for a model that takes them as rows of bytes, each filled up with zeros (spec E.5)."""

import numpy as np

from ovserve.errors import WrongContent, WrongShape
from ovserve.tensors import DType, Tensor, TensorSpec

_MAX_BYTES = 1 << 30  # as OVMS
_RANK = 2


def takes_strings(spec: TensorSpec) -> bool:
    return spec.dtype is DType.UINT8 and spec.dims is not None and len(spec.dims) == _RANK


def pad(spec: TensorSpec, strings: Tensor, label: str) -> Tensor:
    """Write `strings` [n] into a matrix of bytes as wide as the longest and one zero more, or as `spec` needs.

    Raises `WrongShape`, or `WrongContent` for more than 1 GiB; both begin with `label`.
    """
    rows, columns = spec.dims or ()
    if len(strings.shape) != 1:
        raise WrongShape(
            f"{label}: Invalid number of shape dimensions - Expected number of input shape dimensions: 1; "
            f"Actual: {len(strings.shape)}; input name: {spec.name}"
        )
    texts: list[bytes] = strings.data.tolist()
    needed = max(map(len, texts), default=0) + 1
    width = max(needed, columns.low)
    if not (rows.admits(len(texts)) and columns.admits(width)):
        raise WrongShape(
            f"{label}: Invalid input shape - Expected batch size: {rows}; got: {len(texts)}; Expected max null "
            f"terminated string length: {columns}; got: {needed}; input name: {spec.name}"
        )
    if len(texts) * width > _MAX_BYTES:
        raise WrongContent(
            f"{label}: {len(texts)} strings of up to {width} bytes take {len(texts) * width} bytes, expected at most "
            f"{_MAX_BYTES}; input name: {spec.name}"
        )
    matrix = np.zeros((len(texts), width), np.uint8)
    for row, text in zip(matrix, texts, strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    return Tensor(DType.UINT8, matrix)
