"""Datatypes, shapes and tensors, and how a tensor fits a model's specification. Pure."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from ovserve.errors import WrongDatatype, WrongShape

Shape = tuple[int, ...]
Array = npt.NDArray[Any]


class DType(Enum):
    """A datatype and its name in each language: KServe v2, numpy, OpenVINO, TensorFlow.

    numpy has no bfloat16, so BF16 travels as the 16-bit pattern; BYTES as an object array of `bytes`.
    """

    BOOL = ("BOOL", np.dtype(np.bool_), "boolean", "DT_BOOL")
    UINT8 = ("UINT8", np.dtype(np.uint8), "u8", "DT_UINT8")
    UINT16 = ("UINT16", np.dtype(np.uint16), "u16", "DT_UINT16")
    UINT32 = ("UINT32", np.dtype(np.uint32), "u32", "DT_UINT32")
    UINT64 = ("UINT64", np.dtype(np.uint64), "u64", "DT_UINT64")
    INT8 = ("INT8", np.dtype(np.int8), "i8", "DT_INT8")
    INT16 = ("INT16", np.dtype(np.int16), "i16", "DT_INT16")
    INT32 = ("INT32", np.dtype(np.int32), "i32", "DT_INT32")
    INT64 = ("INT64", np.dtype(np.int64), "i64", "DT_INT64")
    FP16 = ("FP16", np.dtype(np.float16), "f16", "DT_HALF")
    BF16 = ("BF16", np.dtype(np.uint16), "bf16", "DT_BFLOAT16")
    FP32 = ("FP32", np.dtype(np.float32), "f32", "DT_FLOAT")
    FP64 = ("FP64", np.dtype(np.float64), "f64", "DT_DOUBLE")
    BYTES = ("BYTES", np.dtype(np.object_), "string", "DT_STRING")

    def __init__(self, kserve: str, numpy: np.dtype[Any], openvino: str, tensorflow: str) -> None:
        self.kserve = kserve
        self.numpy = numpy
        self.openvino = openvino
        self.tensorflow = tensorflow


BY_KSERVE = {dtype.kserve: dtype for dtype in DType}
BY_OPENVINO = {dtype.openvino: dtype for dtype in DType}
BY_TENSORFLOW = {dtype.tensorflow: dtype for dtype in DType}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A datatype and the values, shaped; the shape is the array's."""

    dtype: DType
    data: Array

    @property
    def shape(self) -> Shape:
        return self.data.shape


@dataclass(frozen=True, slots=True)
class Dim:
    """A range of lengths that a model takes along one axis; `high` None is without limit."""

    low: int
    high: int | None

    def __post_init__(self) -> None:
        """Raise `ValueError` for bounds that admit nothing."""
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise ValueError(f"no length is from {self.low} to {self.high}")

    @property
    def is_static(self) -> bool:
        return self.low == self.high

    def admits(self, length: int) -> bool:
        return self.low <= length and (self.high is None or length <= self.high)

    def intersection(self, other: "Dim") -> "Dim | None":
        """Find the lengths that both admit; None if there is none."""
        low = max(self.low, other.low)
        high = min((dim.high for dim in (self, other) if dim.high is not None), default=None)
        return None if high is not None and high < low else Dim(low, high)

    def __str__(self) -> str:
        if self.is_static:
            return str(self.low)
        if self.high is None and self.low == 0:
            return "-1"
        return f"[{self.low}~{'' if self.high is None else self.high}]"


ANY = Dim(0, None)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model says of one of its tensors, as clients see it; `dtype` None means any, `dims` None any rank.

    `layout` is for people and clients (`NHWC`), `batch_axis` is the dimension that counts what is in a batch.
    """

    name: str
    dtype: DType | None
    dims: tuple[Dim, ...] | None
    layout: str | None = None
    batch_axis: int | None = None

    @property
    def datatype(self) -> str:
        """The datatype's name on the wire; OVMS's word where it may be any."""
        return "UNDEFINED" if self.dtype is None else self.dtype.kserve

    @property
    def wire_shape(self) -> list[int]:
        """The shape as metadata shows it: -1 where the length may vary (spec B.5); any rank shows as [-1]."""
        if self.dims is None:
            return [-1]
        return [dim.low if dim.is_static else -1 for dim in self.dims]

    def admits(self, shape: Shape) -> bool:
        """Tell whether a tensor of this shape fits."""
        if self.dims is None:
            return True
        return len(self.dims) == len(shape) and all(map(Dim.admits, self.dims, shape))

    def match(self, tensor: Tensor, model: str, free: AbstractSet[int] = frozenset()) -> None:
        """Raise `WrongDatatype` or `WrongShape` unless `tensor` fits; the dimensions `free` may have any length."""
        if tensor.dtype is not self.dtype and self.dtype is not None:
            raise WrongDatatype(
                f"{model}: input '{self.name}' expects datatype {self.dtype.kserve}, got {tensor.dtype.kserve}"
            )
        if self.dims is None:
            return
        if len(self.dims) != len(tensor.shape):
            raise self._wrong_shape(model, "number of shape dimensions", tensor.shape)
        wrong = [axis for axis, dim in enumerate(self.dims) if not dim.admits(tensor.shape[axis]) and axis not in free]
        if wrong == [self.batch_axis]:
            expected, actual = self.dims[wrong[0]], tensor.shape[wrong[0]]
            raise WrongShape(
                f"{model}: Invalid input batch size - Expected: {expected}; Actual: {actual}; input name: {self.name}"
            )
        if wrong:
            raise self._wrong_shape(model, "input shape", tensor.shape)

    def _wrong_shape(self, model: str, what: str, shape: Shape) -> WrongShape:
        """Say it in OVMS's words (spec B.4)."""
        return WrongShape(
            f"{model}: Invalid {what} - Expected: {shape_text(self.dims or ())}; Actual: {shape_text(shape)}; "
            f"input name: {self.name}"
        )


def shape_text(dims: Sequence[Dim | int], limit: int = 32) -> str:
    """Print a shape as OVMS does, for instance `(1,3,[200~500],-1)`; one with absurdly many dimensions is cut."""
    shown = ",".join(map(str, dims[:limit]))
    return f"({shown})" if len(dims) <= limit else f"({shown},... {len(dims)} dimensions)"


def list_text(lengths: Sequence[int], limit: int = 32) -> str:
    """Print a request's shape; one with absurdly many dimensions is cut."""
    shown = ",".join(map(str, lengths[:limit]))
    return f"[{shown}]" if len(lengths) <= limit else f"[{shown},... {len(lengths)} dimensions]"
