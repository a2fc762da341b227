"""What a request may name and hold, whatever the protocol that carries it."""

import math
import re

from ovserve.errors import InvalidInput, WrongShape
from ovserve.tensors import DType, Shape, list_text

_VERSION = re.compile(r"[1-9][0-9]{0,18}")
_HIGHEST_VERSION = (1 << 63) - 1
_MOST_DIMENSIONS = 32  # numpy 1.26's limit; numpy 2 has 64
MOST_BYTES = 1 << 31  # protobuf carries no more
# A tensor without elements costs nothing to send, but an output of its other dimensions has to be made.
_MOST_BYTES_BESIDE_ZERO = 1 << 26


def parse_version(text: str, model: str) -> int | None:
    """Read a version; empty is the default one. Raises `InvalidInput`."""
    if not text:
        return None
    if not _VERSION.fullmatch(text) or int(text) > _HIGHEST_VERSION:
        raise InvalidInput(
            f"model '{model}': version '{text}' is not valid, expected a whole number from 1 to {_HIGHEST_VERSION}"
        )
    return int(text)


def check_shape(shape: Shape, dtype: DType, label: str) -> None:
    """Raise `WrongShape`, which begins with `label`, for a shape that no tensor of a request may have."""
    if len(shape) > _MOST_DIMENSIONS:
        raise WrongShape(f"{label} has {len(shape)} dimensions, expected at most {_MOST_DIMENSIONS}")
    if any(length < 0 for length in shape):
        raise WrongShape(f"{label} has shape {list_text(shape)}, expected every dimension to be 0 or more")
    most = _MOST_BYTES_BESIDE_ZERO if 0 in shape else MOST_BYTES
    if math.prod(length or 1 for length in shape) * dtype.numpy.itemsize > most:
        beside = " beside the zero" if 0 in shape else ""
        raise WrongShape(f"{label} has shape {list_text(shape)}, expected at most {most} bytes in all{beside}")
