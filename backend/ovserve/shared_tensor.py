"""Tensors of numbers that lie in shared memory: inputs that nobody has read yet, outputs that are there already."""

import threading
from math import prod

import numpy as np

from ovserve.shared_memory import Window
from ovserve.tensors import Array, DType, Shape, Tensor


class SharedTensor(Tensor):
    """A tensor whose numbers lie in `window`, of which it may take only the first bytes.

    `data` copies them out when it is first asked for, and stays as it is then, whatever the client writes; it raises
    `RegionChanged` where the object has become too short.
    """

    __slots__ = ("_lock", "_read", "_shape", "window")

    window: Window
    _shape: Shape
    _read: Array | None
    _lock: threading.Lock

    def __init__(self, dtype: DType, shape: Shape, window: Window) -> None:
        put = object.__setattr__  # frozen, as every tensor
        put(self, "dtype", dtype)
        put(self, "window", window)
        put(self, "_shape", shape)
        put(self, "_read", None)
        put(self, "_lock", threading.Lock())

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def nbytes(self) -> int:
        return prod(self._shape) * self.dtype.numpy.itemsize

    @property
    def is_read(self) -> bool:
        """Tell whether its numbers have been copied out, so that these are what counts."""
        return self._read is not None

    @property
    def data(self) -> Array:
        with self._lock:
            array = self._read
            if array is None:
                array = np.empty(self._shape, self.dtype.numpy)
                self.read_into(array)
                object.__setattr__(self, "_read", array)
            return array

    def read_into(self, array: Array) -> None:
        """Copy the numbers straight into memory that is at hand, `nbytes` in a row; raises `RegionChanged`."""
        self.window.read_into(array.reshape(-1).view(np.uint8).data)
