"""The process of a worker, as the server has it: started, heard, and ended."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ovserve.observability.logs import get_logger
from ovserve.processes.channel import Broken, Channel, Frame
from ovserve.tensors import Tensor

_LAST_BREATH_S = 1.0  # between the end of its socket and its own
_LOOK_S = 0.002

logger = get_logger("ovserve.python")


class Reader(threading.Thread):
    """The thread that receives from one worker; it must not wait for what it would itself receive."""


class WorkerProcess:
    """`python -m module` with the descriptors of its end of the channel, of its lifeline, and of `others`.

    `take` gets each frame in the thread that receives; `ended` is called there with how the process ended. The process
    has a group of its own, which ends with it, or with this process.
    """

    def __init__(
        self,
        module: str,
        name: str,
        take: Callable[[Frame], None],
        ended: Callable[[str], None],
        *,
        others: Sequence[int] = (),
    ) -> None:
        ours, theirs = socket.socketpair()
        held, self._lifeline = os.pipe()
        inherited = (theirs.fileno(), held, *others)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-u", "-P", "-m", module, *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output is where the server says where it listens
                pass_fds=inherited,
                process_group=0,
            )
        except OSError:
            ours.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(held)
        self._channel = Channel(ours)
        self._take = take
        self._ended = ended
        self._over = threading.Event()
        Reader(target=self._read, name=f"{name}-channel", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, head: Mapping[str, Any], tensors: Sequence[Tensor] = ()) -> None:
        """Send a frame; raises `TooLarge`."""
        self._channel.send(head, tensors)

    def kill(self) -> None:
        """Kill it with all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            if not self._over.is_set():
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end, and tell whether it came."""
        return self._over.wait(timeout_s)

    def _read(self) -> None:
        try:
            while (frame := self._channel.receive()) is not None:
                self._take(frame)
        except Broken as error:
            logger.error("a worker is ended", cause=str(error), pid=self.pid)
        except Exception:
            logger.exception("a worker is ended", pid=self.pid)
        self._ended(self._reap())

    def _reap(self) -> str:
        """Have the process and its group end, and tell how it did."""
        until_s = time.monotonic() + _LAST_BREATH_S
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG  # its number stays its own until it is waited for
        while os.waitid(os.P_PID, self.pid, flags) is None and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
        self.kill()
        code = self._process.wait()
        self._over.set()
        self._channel.close()
        os.close(self._lifeline)
        return f"signal {_signal_name(-code)}" if code < 0 else f"exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
