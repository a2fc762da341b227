"""Brings a request's numbers into one input of an infer request."""

import numpy as np
import openvino as ov

from ovserve.engine.memory_views import address_of, view_of
from ovserve.shared_tensor import SharedTensor
from ovserve.tensors import Array, Shape

# Measured on 2 cores: below this many bytes copying into the slot's own tensor costs less than binding the caller's
# array (58 against 80 us for a whole tiny request), above it more (231 against 114 us at 1 MB).
_COPY_AT_MOST_BYTES = 64 * 1024


class Feed:
    """Brings arrays into one input of an infer request, the cheaper way."""

    _own_data: Array
    _array: Array  # that of what is borrowed

    def __init__(self, request: ov.InferRequest, index: int, port: ov.ConstOutput) -> None:
        self._request = request
        self._index = index
        self._type: ov.Type = port.element_type
        # Not the request's first tensor: in a pass-through model that is the output too, and takes on its shapes.
        self._bind_own(tuple(port.partial_shape.get_min_shape()))
        self._borrowed: ov.Tensor | None = None

    def put(self, data: Array) -> None:
        if data.nbytes > _COPY_AT_MOST_BYTES:
            # The infer request keeps the address only; it is this reference that keeps the bytes.
            self._array = _writable(data)
            self._borrowed = ov.Tensor(self._array, ov.Shape(data.shape), self._type)
            self._request.set_input_tensor(self._index, self._borrowed)
            return
        if data.shape != self._own_shape:
            self._bind_own(data.shape)
        if data.dtype != self._own_data.dtype:  # only numpy's own name for what it has none for, as BF16
            self._own_data = self._own_data.view(data.dtype)
        self._own_data[...] = data

    def read(self, tensor: SharedTensor) -> None:
        """Bring in what lies in shared memory; raises `RegionChanged`.

        Straight into a tensor of our own where there is one for it or a small one will do: others would stay as long as
        the slot.
        """
        if tensor.is_read or (tensor.shape != self._own_shape and tensor.nbytes > _COPY_AT_MOST_BYTES):
            self.put(tensor.data)
            return
        if tensor.shape != self._own_shape:
            self._bind_own(tensor.shape)
        tensor.read_into(self._own_data)

    def holder(self, address: int) -> object | None:
        """Tell what keeps the memory at `address`, if that is part of an array of the caller's that is bound now."""
        if self._borrowed is None or not 0 <= address - address_of(self._array) < self._array.nbytes:
            return None
        return self._array, self._borrowed

    def let_go(self) -> None:
        """Give up the caller's array, if one is bound: a message's memory must not stay as long as the slot."""
        if self._borrowed is not None:
            self._request.set_input_tensor(self._index, self._own)
            self._borrowed = None
            del self._array

    def _bind_own(self, shape: Shape) -> None:
        """Have a tensor of our own for `shape`; one that is bound cannot grow, so it is a fresh one."""
        self._own = ov.Tensor(self._type, ov.Shape(shape))
        self._own_shape = shape
        self._own_data = self._own.data
        self._request.set_input_tensor(self._index, self._own)


def _writable(data: Array) -> Array:
    """View a read-only array (a gRPC message's bytes) as one that OpenVINO shares; inference only reads its inputs."""
    contiguous = np.ascontiguousarray(data)
    return contiguous if contiguous.flags.writeable else view_of(contiguous, contiguous, writeable=True)
