"""Tensors and datatypes, as a Python model knows them from `triton_python_backend_utils`."""

from typing import Any, NoReturn

import numpy as np

from ovserve import tensors
from ovserve.engine.python_backend.pb_errors import NotSupported, TritonModelException
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

    def to_dlpack(self) -> NoReturn:
        raise NotSupported("Tensor.to_dlpack")

    @staticmethod
    def from_dlpack(_name: str, _tensor: Any) -> NoReturn:
        raise NotSupported("Tensor.from_dlpack")


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
