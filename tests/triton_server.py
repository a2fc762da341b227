"""A real Triton as a process, on a free loopback port."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

START_TIMEOUT_S = 120
_STARTED = re.compile(r'"Started GRPCInferenceService at \S+:(\d+)"')
_PORT_TAKEN = re.compile(r"already in use|failed to listen|failed to start GRPC", re.IGNORECASE)
_ATTEMPTS = 3  # another process may take the free port before Triton does


def free_port() -> int:
    """A port that was free a moment ago: Triton cannot look for one itself."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class TritonProcess:
    """Runs `command`, in which the gRPC port is 8001, in the folder that the page on Triton has prepared."""

    def __init__(self, command: str, folder: Path) -> None:
        for attempt in range(_ATTEMPTS):
            self.port = free_port()
            if self._start(command.replace("--grpc-port 8001", f"--grpc-port {self.port}"), folder):
                return
            self.stop()
            if attempt + 1 == _ATTEMPTS or not _PORT_TAKEN.search(self.log):
                raise AssertionError(f"Triton did not start: {self.log}")

    def _start(self, command: str, folder: Path) -> bool:
        self._lines: list[str] = []
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self.process = subprocess.Popen(
            ["bash", "-euc", command],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        while True:
            try:
                line = self._queue.get(timeout=START_TIMEOUT_S)
            except Empty:
                return False
            if line is None:
                return False
            if _STARTED.search(line):
                return True

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def processes(self, instance: str) -> list[int]:
        """The processes that run an instance of a model, `NAME_0` for instance."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                belongs = os.getpgid(int(folder.name)) == self.process.pid
            except (OSError, ValueError):  # no process, or gone meanwhile
                continue
            if belongs and instance.encode() in words and b"stub" in words[0]:
                found.append(int(folder.name))
        return found

    def stop(self) -> None:
        """Ctrl-C: to the whole group, as a terminal does it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            self._reader.join()
            self.process.stdout.close()


@dataclass(frozen=True)
class Served:
    """Who serves the models, and where each of them is asked for."""

    by: str
    address_of: Callable[[str], str]
    triton: TritonProcess | None = None
