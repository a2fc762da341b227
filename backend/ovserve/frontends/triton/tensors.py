"""Triton's tensors <-> ours, in the Python that Triton's stub runs."""

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from ovserve.errors import InvalidInput
from ovserve.serving.agreement import AS_SCALAR
from ovserve.tensors import Array, DType, Tensor, TensorSpec

# In DLPack's DLTensor (https://dmlc.github.io/dlpack): the kind of a number stands behind data, device and ndim.
_KIND_OFFSET = ctypes.sizeof(ctypes.c_void_p) + 3 * ctypes.sizeof(ctypes.c_int32)
_UNSIGNED, _BFLOAT = 1, 4

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def carries_arrays(pb: Any) -> bool:
    """Tell whether what goes through a tensor of Triton's comes back.

    A stub built for NumPy 1 reads the arrays of NumPy 2 as if their elements had no bytes: inputs come as zeros and
    outputs go out empty, without an error.
    """
    sent = np.arange(1, 4, dtype=np.float32)
    back = pb.Tensor.from_dlpack("check", pb.Tensor("check", sent).to_dlpack())
    return np.array_equal(back.as_numpy(), sent)


def read(tensors: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    """View a request's tensors, without copying numbers; raises `InvalidInput` for one that is no input."""
    return {tensor.name(): _read(tensor, specs) for tensor in tensors}


def _read(tensor: Any, specs: Mapping[str, TensorSpec]) -> Tensor:
    spec = specs.get(tensor.name())
    if spec is None:  # Triton has compared the request with the configuration, and we that one with the model
        raise InvalidInput(f"unexpected input '{tensor.name()}'")
    assert spec.dtype is not None  # noqa: S101 - a model's tensors have one
    data = _bits(tensor) if spec.dtype is DType.BF16 else tensor.as_numpy()
    return Tensor(spec.dtype, data.reshape(()) if spec.dims == () and data.shape == AS_SCALAR else data)


def write(pb: Any, name: str, tensor: Tensor) -> Any:
    data = tensor.data if tensor.shape else tensor.data.reshape(AS_SCALAR)
    if tensor.dtype is DType.BF16:
        # Through a tensor of Triton's: a capsule of NumPy's would not survive how Triton marks it as used.
        return pb.Tensor.from_dlpack(name, _renamed(pb.Tensor(name, data).to_dlpack(), _BFLOAT))
    return pb.Tensor(name, data)


def _bits(tensor: Any) -> Array:
    """View a BF16 tensor, which NumPy has no type for, as the 16-bit patterns that we carry."""
    return np.from_dlpack(_Exporter(tensor))


class _Exporter:
    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __dlpack__(self, **_options: Any) -> Any:
        return _renamed(self._tensor.to_dlpack(), _UNSIGNED)

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()


def _renamed(capsule: Any, kind: int) -> Any:
    """Call the numbers in a DLPack capsule another kind of the same size."""
    ctypes.c_uint8.from_address(_pointer(capsule, b"dltensor") + _KIND_OFFSET).value = kind
    return capsule
