"""Tensors and datatypes, as a Python model knows them from `triton_python_backend_utils`."""

from typing import Any

import numpy as np

from ovserve import tensors
from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.tensors import Array, DType

# In the order of Triton's numbers for them, from 1.
_NUMBERED: tuple[DType, ...] = (
    DType.BOOL,
    *(DType.UINT8, DType.UINT16, DType.UINT32, DType.UINT64),
    *(DType.INT8, DType.INT16, DType.INT32, DType.INT64),
    *(DType.FP16, DType.FP32, DType.FP64),
    *(DType.BYTES, DType.BF16),
)
_NUMBERS = {dtype: number for number, dtype in enumerate(_NUMBERED, 1)}
_BY_NUMPY: dict[np.dtype[Any], DType] = {dtype.numpy: dtype for dtype in DType if dtype is not DType.BF16}
TRITON_STRING_TO_NUMPY = {
    "TYPE_STRING" if dtype is DType.BYTES else f"TYPE_{dtype.kserve}": dtype.numpy.type
    for dtype in DType
    if dtype is not DType.BF16
}


class Tensor:
    """A name and an array; text travels as an array of objects, each `bytes` or `str`."""

    def __init__(self, name: str, numpy_array: Array) -> None:
        if not isinstance(numpy_array, np.ndarray):
            raise TypeError(f"tensor '{name}' takes a NumPy array, got {type(numpy_array).__name__}")
        array = numpy_array.astype(np.object_) if numpy_array.dtype.kind == "S" else numpy_array
        dtype = _BY_NUMPY.get(array.dtype)
        if dtype is None:
            hint = "; for text use an array of dtype object" if array.dtype.kind in "UT" else ""
            raise TritonModelException(f"tensor '{name}': NumPy's {array.dtype} has no datatype in Triton{hint}")
        self._name = str(name)
        self._array = array
        self.dtype = dtype  # Triton's has none

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> Array:
        return self._array

    def triton_dtype(self) -> int:
        return _NUMBERS[self.dtype]

    def is_cpu(self) -> bool:
        return True

    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def to_dlpack(self) -> Any:
        """Hand the numbers on (https://dmlc.github.io/dlpack); those that others may be reading, as a copy."""
        return self.__dlpack__()

    def __dlpack__(self, **options: Any) -> Any:
        if self.dtype in {DType.BYTES, DType.BF16}:
            raise TritonModelException(f"tensor '{self._name}': DLPack has no {self.dtype.kserve} here")
        array = self._array if self._array.flags.writeable else self._array.copy()
        return array.__dlpack__(**options)  # type: ignore[misc] # texts were refused

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    @staticmethod
    def from_dlpack(name: str, tensor: Any) -> "Tensor":
        """Take over what supports DLPack's protocol, or a capsule of it, in the memory of the processor."""
        giver = tensor if hasattr(tensor, "__dlpack__") else _Capsule(tensor)
        return Tensor(name, np.from_dlpack(giver))


class _Capsule:
    """What `to_dlpack` gives, which lost its own methods."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def replied(name: str, tensor: tensors.Tensor) -> Tensor:
    """Take over a tensor that another model answered."""
    made = Tensor(name, tensor.data)
    made.dtype = tensor.dtype  # BF16 has no type in NumPy
    return made


def received(name: str, tensor: tensors.Tensor) -> Tensor:
    """View a request's tensor, for reading only: others may be reading it too."""
    view = tensor.data.view()
    view.flags.writeable = False
    made = Tensor(name, view)
    made.dtype = tensor.dtype  # BF16 has no type in NumPy
    return made


def triton_string_to_numpy(triton_type_string: str) -> Any:
    return TRITON_STRING_TO_NUMPY[triton_type_string]


def triton_to_numpy_type(data_type: int) -> Any:
    return _NUMBERED[data_type - 1].numpy.type


def numpy_to_triton_type(data_type: Any) -> int:
    return _NUMBERS[_BY_NUMPY[np.dtype(data_type)]]
