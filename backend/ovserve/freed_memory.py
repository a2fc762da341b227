"""What becomes of memory that was freed: it is kept for the next request."""

import ctypes
import os

# Of glibc's malloc.h (https://man7.org/linux/man-pages/man3/mallopt.3.html).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_MMAP_BYTES = 32 << 20  # the highest that glibc takes
_KEPT_BYTES = 128 << 20


def keep_freed_memory() -> None:
    """Let the allocator keep up to 128 MiB in each of as many arenas as there are cores, and share those.

    By itself it gives a message's memory back to the system after each request, and takes it again page by page for the
    next one. Nothing is changed where the environment says how it shall be, nor where the C library is not glibc.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, os.cpu_count() or 1)
