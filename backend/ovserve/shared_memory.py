"""Triton's system shared memory: tensors that clients of this machine leave in /dev/shm, and find there.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_shared_memory.md
"""

import os
import stat
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from ovserve.bus_errors import BUS_ERRORS
from ovserve.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowed,
    NotFound,
    Overloaded,
    OVServeError,
    RegionChanged,
)
from ovserve.mapped_memory import MappedMemory

_FOLDER = "/dev/shm"  # noqa: S108 - where shm_open puts what it opens
_MOST_REGIONS = 256  # each holds a file descriptor
_MOST_BYTES = 1 << 40
_MOST_CHARACTERS = 255
_MAPPED_BYTES = 64 * 1024  # below that much the file is as quick


class Region:
    """A part of a shared memory object, open as long as anybody has a reference to it.

    It is read and written through its file, which tells what is wrong; what is large through a mapping, as long as that
    serves.
    """

    def __init__(self, name: str, key: str, offset: int, byte_size: int, file: int | None = None) -> None:
        self.name = name
        self.key = key
        self.offset = offset
        self.byte_size = byte_size
        self._file = _open(key, f"shared memory region '{name}'") if file is None else file
        self.close = weakref.finalize(self, os.close, self._file)
        self._mapping: MappedMemory | None = None
        self._serves = True

    @property
    def file(self) -> int:
        """The descriptor, for as long as the region is there."""
        return self._file

    def check_size(self) -> None:
        """Raise `RegionChanged` where the object does not reach to the end of the region."""
        found = os.fstat(self._file).st_size
        if found < self.offset + self.byte_size:
            raise RegionChanged(
                f"shared memory region '{self.name}' ends at byte {self.offset + self.byte_size} of '{self.key}', "
                f"which has {found} bytes"
            )

    def read_into(self, offset: int, buffer: memoryview) -> None:
        mapping = self._mapped(len(buffer))
        if mapping is not None:
            if mapping.read_into(offset, buffer):
                return
            self._unmap(mapping)
        read = 0
        while read < len(buffer):  # the kernel gives at most 2 GB at once
            count = os.preadv(self._file, [buffer[read:] if read else buffer], self.offset + offset + read)
            read += count
            if not count:
                self.check_size()
                raise RegionChanged(f"shared memory region '{self.name}' was changed while it was read")

    def write(self, offset: int, data: memoryview) -> None:
        self.check_size()  # or a file that was truncated would grow again
        mapping = self._mapped(len(data))
        if mapping is not None:
            if mapping.write(offset, data):
                return
            self._unmap(mapping)
        written = 0
        while written < len(data):
            try:
                written += os.pwrite(self._file, data[written:] if written else data, self.offset + offset + written)
            except OSError as error:
                raise InvalidInput(f"shared memory region '{self.name}' cannot be written: {error.strerror}") from error

    def _mapped(self, byte_size: int) -> MappedMemory | None:
        """Have a mapping for so many bytes; None where it would not pay, or end the process one day."""
        if byte_size < _MAPPED_BYTES or not BUS_ERRORS.are_survived or not self._serves:
            return None
        if self._mapping is None:
            try:
                self._mapping = MappedMemory(self._file, self.offset, self.byte_size)
            except (OSError, ValueError):  # the file is too short, or the address space: reading it tells
                return None
        return self._mapping

    def _unmap(self, mapping: MappedMemory) -> None:
        """Give up a mapping that cannot be relied on, for good where its memory is not the file's any more."""
        self._serves &= mapping.is_whole
        self._mapping = None


@dataclass(frozen=True, slots=True)
class Window:
    """Where one tensor lies in a region."""

    region: Region
    offset: int
    byte_size: int

    def read(self) -> memoryview:
        """Copy the bytes out; raises `RegionChanged` where the object has become too short."""
        buffer = memoryview(bytearray(self.byte_size))
        self.region.read_into(self.offset, buffer)
        return buffer

    def read_into(self, buffer: memoryview) -> None:
        """Copy as many bytes as `buffer` has into it; raises `RegionChanged` where the object has become too short."""
        self.region.read_into(self.offset, buffer)

    def has_room(self, data: memoryview) -> bool:
        """Tell whether `write` could take it, as long as the object stays as it is."""
        return len(data) <= self.byte_size

    def write(self, data: memoryview, label: str) -> None:
        """Copy `data` in; raises `InvalidInput`, which begins with `label`, where it does not fit."""
        if len(data) > self.byte_size:
            raise InvalidInput(
                f"{label} has {len(data)} bytes, expected at most the {self.byte_size} "
                f"that the request gives it in shared memory region '{self.region.name}'"
            )
        self.region.write(self.offset, data)


class SharedMemory:
    """The regions that clients have registered, by name; `is_open` says whether they may.

    `added` is called with each region before it counts, and `removed` with the name of each that was forgotten ('' for
    all), in the order of what happens.
    """

    def __init__(
        self,
        *,
        is_open: bool,
        added: Callable[[Region], None] = lambda _region: None,
        removed: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._is_open = is_open
        self._added = added
        self._removed = removed
        self._telling = threading.Lock()
        self._regions: dict[str, Region] = {}
        self._lock = threading.Lock()

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Open `byte_size` bytes from `offset` of the object that `key` names, as shm_open does, under a new name.

        Raises `NotAllowed`, `InvalidInput`, `AlreadyExists`, and `Overloaded` where there are too many.
        """
        self._check_open()
        if not name or len(name) > _MOST_CHARACTERS:
            raise InvalidInput(f"a shared memory region expects a name of 1 to {_MOST_CHARACTERS} characters")
        label = f"shared memory region '{name}'"
        if byte_size < 1 or offset < 0:
            raise InvalidInput(f"{label} expects a byte_size of 1 or more, got {byte_size} from offset {offset}")
        region = Region(name, key, offset, byte_size)
        try:
            region.check_size()
            self.add(region)
        except OVServeError:
            region.close()  # at once: the error on its way out keeps a reference
            raise

    def add(self, region: Region) -> None:
        """Have a region that is open already; raises `AlreadyExists`, and `Overloaded` where there are too many."""
        with self._telling:
            self._check_room(region)
            self._added(region)
            with self._lock:
                self._regions[region.name] = region

    def _check_room(self, region: Region) -> None:
        label = f"shared memory region '{region.name}'"
        with self._lock:
            if region.name in self._regions:
                raise AlreadyExists(f"{label} is registered already")
            if len(self._regions) >= _MOST_REGIONS:
                raise Overloaded(f"{label}: {_MOST_REGIONS} are registered already, as many as there may be")
            if region.byte_size + sum(each.byte_size for each in self._regions.values()) > _MOST_BYTES:
                raise Overloaded(f"{label}: all regions together may have at most {_MOST_BYTES} bytes")

    def unregister(self, name: str = "") -> None:
        """Forget a region, or all; who is using one goes on. An unknown one is no error (Triton)."""
        self._check_open()
        self.remove(name)

    def remove(self, name: str = "") -> None:
        """Forget a region, or all, whoever may."""
        with self._telling:
            with self._lock:
                if name:
                    self._regions.pop(name, None)
                else:
                    self._regions.clear()
            self._removed(name)

    def regions(self, name: str = "") -> list[Region]:
        """List all regions, or the one asked for; raises `NotFound`."""
        with self._lock:
            if not name:
                return list(self._regions.values())
            if name not in self._regions:
                raise NotFound(f"shared memory region '{name}' is not registered")
            return [self._regions[name]]

    def window(self, name: str, offset: int, byte_size: int, label: str) -> Window:
        """Find a tensor's place; raises `NotFound` or `InvalidInput`, which begin with `label`."""
        with self._lock:
            region = self._regions.get(name)
        if region is None:
            raise NotFound(f"{label} refers to shared memory region '{name}', which is not registered")
        if offset < 0 or byte_size < 0 or offset + byte_size > region.byte_size:
            raise InvalidInput(
                f"{label} refers to {byte_size} bytes from offset {offset} of shared memory region '{name}', "
                f"which has {region.byte_size}"
            )
        return Window(region, offset, byte_size)

    def _check_open(self) -> None:
        if not self._is_open:
            raise NotAllowed(
                "shared memory is for clients of this machine; the server listens to others too, "
                "and neither --api_key_file guards it nor --allow_remote_management is given"
            )


def _open(key: str, label: str) -> int:
    name = key.removeprefix("/")
    if not name or "/" in name or "\0" in name or name in {".", ".."} or len(os.fsencode(name)) > _MOST_CHARACTERS:
        raise InvalidInput(f"{label}: '{key[:_MOST_CHARACTERS]}' is not the name of a shared memory object")
    try:
        file = os.open(f"{_FOLDER}/{name}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(f"{label}: '{key}' cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InvalidInput(f"{label}: '{key}' is not a shared memory object")
    return file
