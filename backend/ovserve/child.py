"""`ovserve` as a child process on a free loopback port."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ovserve.errors import CannotStart

_READY = re.compile(r"^ovserve: KServe v2 gRPC on (\S+)$")
_STOP_TIMEOUT_S = 60
_LOCKS = (
    "API_KEY",
    "OVSERVE_API_KEY",
    "OVSERVE_TLS_",
    "OVSERVE_GRPC_USE_SSL",
    "OVSERVE_GRPC_SERVER_",
    "OVSERVE_GRPC_ROOT_",
)


class ChildServer:
    """Ready inside a `with` block and stopped at its end; its log goes where ours does.

    `module` is what runs: `ovserve`, or another that takes the same flags and says in the same words where it listens.
    Raises `CannotStart` when the child ends before it is ready.
    """

    address: str
    pid: int

    def __init__(self, arguments: Sequence[str], *, module: str = "ovserve") -> None:
        self._command = [sys.executable, "-m", module, *arguments, "--port", "auto"]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=_open_to_us())  # noqa: S603 - ourselves
        self.pid = self._process.pid
        self.address = self._wait_until_ready()
        return self

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def _wait_until_ready(self) -> str:
        for line in self._process.stdout or ():
            if found := _READY.match(line):
                return found[1]
        raise CannotStart(f"the server that was to be used ended with exit code {self._process.wait()}")

    def wait(self) -> int:
        """Wait until the child ends by itself, and return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """Ask the child to stop; it may have stopped already."""
        self._process.terminate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._process.communicate(timeout=_STOP_TIMEOUT_S)


def _open_to_us() -> dict[str, str]:
    """Leave out what would have the child ask us for keys and certificates."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_LOCKS)}
