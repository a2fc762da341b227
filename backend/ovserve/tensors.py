"""Datatypes, shapes and tensors, and how a tensor fits a model's specification. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from ovserve.errors import WrongDatatype, WrongShape

Shape = tuple[int, ...]
Array = npt.NDArray[Any]


class DType(Enum):
    """A datatype and its name in each language: KServe v2, numpy, OpenVINO.

    numpy has no bfloat16, so BF16 travels as the 16-bit pattern; BYTES as an object array of `bytes`.
    """

    BOOL = ("BOOL", np.dtype(np.bool_), "boolean")
    UINT8 = ("UINT8", np.dtype(np.uint8), "u8")
    UINT16 = ("UINT16", np.dtype(np.uint16), "u16")
    UINT32 = ("UINT32", np.dtype(np.uint32), "u32")
    UINT64 = ("UINT64", np.dtype(np.uint64), "u64")
    INT8 = ("INT8", np.dtype(np.int8), "i8")
    INT16 = ("INT16", np.dtype(np.int16), "i16")
    INT32 = ("INT32", np.dtype(np.int32), "i32")
    INT64 = ("INT64", np.dtype(np.int64), "i64")
    FP16 = ("FP16", np.dtype(np.float16), "f16")
    BF16 = ("BF16", np.dtype(np.uint16), "bf16")
    FP32 = ("FP32", np.dtype(np.float32), "f32")
    FP64 = ("FP64", np.dtype(np.float64), "f64")
    BYTES = ("BYTES", np.dtype(np.object_), "string")

    def __init__(self, kserve: str, numpy: np.dtype[Any], openvino: str) -> None:
        self.kserve = kserve
        self.numpy = numpy
        self.openvino = openvino


BY_KSERVE = {dtype.kserve: dtype for dtype in DType}
BY_OPENVINO = {dtype.openvino: dtype for dtype in DType}


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

    @property
    def is_static(self) -> bool:
        return self.low == self.high

    def admits(self, length: int) -> bool:
        return self.low <= length and (self.high is None or length <= self.high)

    def __str__(self) -> str:
        if self.is_static:
            return str(self.low)
        if self.high is None and self.low == 0:
            return "-1"
        return f"[{self.low}~{'' if self.high is None else self.high}]"


ANY = Dim(0, None)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model says of one of its tensors; `dims` None means any rank."""

    name: str
    dtype: DType
    dims: tuple[Dim, ...] | None

    @property
    def wire_shape(self) -> list[int]:
        """The shape as metadata shows it: -1 where the length may vary (spec B.5); any rank shows as [-1]."""
        if self.dims is None:
            return [-1]
        return [dim.low if dim.is_static else -1 for dim in self.dims]

    def match(self, tensor: Tensor, model: str) -> None:
        """Raise `WrongDatatype` or `WrongShape` unless `tensor` fits."""
        if tensor.dtype is not self.dtype:
            raise WrongDatatype(
                f"{model}: input '{self.name}' expects datatype {self.dtype.kserve}, got {tensor.dtype.kserve}"
            )
        if self.dims is None:
            return
        if len(self.dims) != len(tensor.shape):
            raise WrongShape(
                f"{model}: input '{self.name}' expects {len(self.dims)} dimensions {shape_text(self.dims)}, "
                f"got {len(tensor.shape)}: {list_text(tensor.shape)}"
            )
        if not all(dim.admits(length) for dim, length in zip(self.dims, tensor.shape, strict=True)):
            raise WrongShape(
                f"{model}: input '{self.name}' expects shape {shape_text(self.dims)}, got {list_text(tensor.shape)}"
            )


def shape_text(dims: Iterable[Dim]) -> str:
    """Print a model's shape, for instance `[1,3,[200~500],-1]`."""
    return f"[{','.join(map(str, dims))}]"


def list_text(lengths: Sequence[int], limit: int = 32) -> str:
    """Print a request's shape; one with absurdly many dimensions is cut."""
    shown = ",".join(map(str, lengths[:limit]))
    return f"[{shown}]" if len(lengths) <= limit else f"[{shown},... {len(lengths)} dimensions]"
