"""A part of a file as memory, copied from and to at the speed of memory, although others may truncate the file."""

import ctypes
import mmap

import numpy as np

from ovserve.bus_errors import BUS_ERRORS

# Of Linux' mman.h; Python has no names for them.
_MAP_FIXED, _MAP_NORESERVE = 0x10, 0x4000
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)  # its functions are called without Python's lock
_memcpy = _libc.memcpy
_memcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_mmap = _libc.mmap
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_mmap.restype = ctypes.c_void_p


class MappedMemory:
    """`byte_size` bytes of an open file from `offset`; raises `OSError` and `ValueError` where they cannot be mapped.

    Reading and writing tell whether that can be relied on. Once it cannot it stays so: ask the file.
    """

    def __init__(self, file: int, offset: int, byte_size: int) -> None:
        before = offset % mmap.ALLOCATIONGRANULARITY
        self._end = offset + byte_size
        self._map = mmap.mmap(file, before + byte_size, offset=offset - before)
        self._begin = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._first = self._begin + before
        self._is_whole = True

    @property
    def is_whole(self) -> bool:
        return self._is_whole

    def is_short(self) -> bool:
        return self._map.size() < self._end

    def replace(self) -> None:
        self._is_whole = False  # first: who is done with copying after this must not rely on it
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED | _MAP_NORESERVE
        place = _mmap(self._begin, len(self._map), mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if place == _FAILED:
            raise OSError(ctypes.get_errno(), "memory of a truncated file cannot be replaced")

    def read_into(self, offset: int, buffer: memoryview) -> bool:
        return self._copy(_address(buffer), self._first + offset, len(buffer)) and not self.is_short()

    def write(self, offset: int, data: memoryview) -> bool:
        return self._copy(self._first + offset, _address(data), len(data))

    def _copy(self, to: int, source: int, count: int) -> bool:
        if self._is_whole and not self.is_short():
            with BUS_ERRORS.copying(self):
                _memcpy(to, source, count)
            return self._is_whole
        return False


def _address(data: memoryview) -> int:
    address: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return address
