"""The texts of `shape` and `batch_size` (spec B.1) <-> dimensions. Pure."""

import operator
import re
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from ovserve.config import per_tensor
from ovserve.config.per_tensor import PerTensor
from ovserve.tensors import ANY, Dim


class Auto(Enum):
    """What requests bring decides."""

    AUTO = "auto"


AUTO = Auto.AUTO

ShapeSetting = tuple[Dim, ...] | Auto
BatchSetting = Dim | Auto
Shapes: TypeAlias = PerTensor[ShapeSetting]

MOST = (1 << 31) - 1

_LENGTH = re.compile(r"[0-9]{1,10}")
_SHAPE_FORMS = "auto, or lengths in round brackets such as (1,3,224,224), -1 for any length, 200:500 for a range"
_BATCH_FORMS = "a number, a range such as 1:8, -1 for any, or auto"


def parse_shapes(text: str) -> Shapes:
    """Read `--shape`: one shape, or an object of shapes by input; raises `ValueError`."""
    return per_tensor.parse(text, parse_shape)


def show_shapes(shapes: Shapes) -> str:
    return per_tensor.show(shapes, show_shape)


def parse_shape(text: str) -> ShapeSetting:
    """Read one shape; in a range the lower end is below the upper one. Raises `ValueError`."""
    stripped = text.strip()
    if stripped == AUTO.value:
        return AUTO
    if len(stripped) > 1 and stripped[0] == "(" and stripped[-1] == ")":
        dims = [_dim(item, operator.lt) for item in stripped[1:-1].split(",")]
        known = tuple(dim for dim in dims if dim is not None)
        if len(known) == len(dims):
            return known
    raise ValueError(f"'{text}' is not a shape: expected {_SHAPE_FORMS}")


def show_shape(shape: ShapeSetting) -> str:
    """Write what `parse_shape` reads."""
    return AUTO.value if isinstance(shape, Auto) else f"({','.join(map(_show_dim, shape))})"


def parse_batch_size(text: str) -> BatchSetting:
    """Read `--batch_size`; in a range both ends are above zero and may be equal. Raises `ValueError`."""
    if text.strip() == AUTO.value:
        return AUTO
    dim = _dim(text, lambda low, high: 0 < low <= high)
    if dim is None:
        raise ValueError(f"'{text}' is not a batch size: expected {_BATCH_FORMS}")
    return dim


def show_batch_size(batch: BatchSetting) -> str:
    """Write what `parse_batch_size` reads."""
    return AUTO.value if isinstance(batch, Auto) else _show_dim(batch)


def _dim(text: str, is_range: Callable[[int, int], bool]) -> Dim | None:
    """Read a length, -1 or a range; None if it is none of them."""
    match [part.strip() for part in text.split(":")]:
        case ["-1"]:
            return ANY
        case [only] if _is_length(only):
            return Dim(int(only), int(only))
        case [low, high] if _is_length(low) and _is_length(high) and is_range(int(low), int(high)):
            return Dim(int(low), int(high))
        case _:
            return None


def _is_length(text: str) -> bool:
    return _LENGTH.fullmatch(text) is not None and int(text) <= MOST


def _show_dim(dim: Dim) -> str:
    if dim == ANY:
        return "-1"
    return str(dim.low) if dim.is_static else f"{dim.low}:{dim.high}"
