"""What becomes of SIGBUS: a thread that copies mapped memory whose file was truncated gets other memory, and goes on.

CPython's own handler of a signal returns to the instruction that failed, which fails again and again, until another
thread has put other memory there. That thread needs the interpreter's lock: whoever touches such a mapping does it
inside of `copying`, in a function that gives the lock up (ctypes).
"""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

# Signals without a gap are those of one fault, or of several. A thread whose memory has been replaced, or whose file
# has grown again, leaves one or two behind, so it is time that tells who still fails.
_GAP_S = 0.1
_PAUSE_S = 0.005
_STUCK_S = 0.1  # a copy of memory for which the system has no page
_FOREIGN_S = 0.1  # signals while nobody copies

_signal = ctypes.CDLL(None).signal
_signal.argtypes = [ctypes.c_int, ctypes.c_void_p]


class Replaceable(Protocol):
    """Mapped memory: `is_whole` until it has been replaced."""

    @property
    def is_whole(self) -> bool: ...

    def is_short(self) -> bool:
        """Tell whether its file does not reach to its end any more."""
        ...

    def replace(self) -> None:
        """Put memory of nobody's in its place, at the same address."""
        ...


class BusErrors:
    """Knows who copies at the moment; `are_survived` where somebody listens to SIGBUS for it."""

    def __init__(self) -> None:
        self.are_survived = False
        # What each thread copies, and since when; changed in single steps, so without a lock.
        self._copying: dict[int, tuple[Replaceable, float]] = {}
        self._copied_s = 0.0
        self._since_s = 0.0
        self._heard_s = 0.0

    def handlers(self) -> Mapping[int, Callable[[], None]]:
        """What has to be called for SIGBUS from now on, in a thread that does nothing else that takes long."""
        self.are_survived = True
        return {signal.SIGBUS: self._heard}

    @contextmanager
    def copying(self, memory: Replaceable) -> Iterator[None]:
        """Touch `memory` inside of this. What was copied counts if it is whole afterwards."""
        thread = threading.get_ident()
        self._copying[thread] = memory, time.monotonic()
        try:
            yield
        finally:
            self._copied_s = time.monotonic()
            del self._copying[thread]

    def _heard(self) -> None:
        now_s = time.monotonic()
        if now_s - self._heard_s > _GAP_S:
            self._since_s = now_s
        self._heard_s = now_s
        copies = [copy for copy in self._copying.copy().values() if copy[0].is_whole]
        failing = {memory for memory, _ in copies if memory.is_short()} or {
            memory for memory, began_s in copies if now_s - max(began_s, self._since_s) > _STUCK_S
        }
        if failing:
            self._replace(failing)
            self._since_s = now_s
        elif not copies and now_s - max(self._copied_s, self._since_s) > _FOREIGN_S:
            self._give_up()
        else:
            time.sleep(_PAUSE_S)

    def _replace(self, memories: Iterable[Replaceable]) -> None:
        try:
            for memory in memories:
                memory.replace()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """Let SIGBUS end the process, as it does by itself."""
        self.are_survived = False
        _signal(signal.SIGBUS, None)


BUS_ERRORS = BusErrors()  # one, as there is one handler for each signal in a process
