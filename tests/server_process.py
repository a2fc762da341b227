"""The product as a process: started as a user starts it, stopped as an operator stops it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

READY = re.compile(r"^ovserve: KServe v2 gRPC on (\S+?):(\d+)(?:,|$)")
REST_READY = re.compile(r"^ovserve: KServe v2 REST on (\S+?):(\d+)(?:,|$)")
START_TIMEOUT_S = 120


class ServerProcess:
    """`ovserve` with the arguments given, on a free port unless they name one; waits until it is ready.

    `rest` has it listen for REST too; `program` is what Python runs.
    """

    def __init__(
        self,
        *arguments: str,
        rest: bool = False,
        env: dict[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
        program: Sequence[str] = ("-m", "ovserve"),
    ) -> None:
        port = () if any(a.startswith("--port") for a in arguments) else ("--port", "auto")
        self._lines: list[str] = []
        self._out: SimpleQueue[str | None] = SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments, *port, *(("--rest_port", "auto") if rest else ())],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            preexec_fn=prepare,  # noqa: PLW1509 - it only drops privileges
        )
        self._readers = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.port = self._wait_until_ready(READY)
        self.rest_port = self._wait_until_ready(REST_READY) if rest else None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def rest_address(self) -> str:
        return f"127.0.0.1:{self.rest_port}"

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def resident_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def _read_out(self) -> None:
        for line in self.process.stdout:
            self._out.put(line)
        self._out.put(None)

    def _read_log(self) -> None:
        self._lines.extend(self.process.stderr)

    def _wait_until_ready(self, told: re.Pattern[str]) -> int:
        while True:
            try:
                line = self._out.get(timeout=START_TIMEOUT_S)
            except Empty:
                line = None
            if line is None:
                code = self.stop()
                raise AssertionError(f"ovserve did not start (exit code {code}): {self.log}")
            if found := told.match(line):
                return int(found[2])

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Send a signal, wait for the end, return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


@contextmanager
def sound_server(*arguments: str, rest: bool = False) -> Iterator[ServerProcess]:
    """Start one; in the end it must stop well, and have had no fault of its own."""
    server = ServerProcess(*arguments, rest=rest)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log
    assert "Traceback" not in server.log


def run_ovserve(
    *arguments: str, env: dict[str, str] | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `ovserve` to its end: for starts that must fail."""
    return subprocess.run(
        [sys.executable, "-m", "ovserve", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
        check=False,
    )


def repository(root: Path, **models: Path) -> Path:
    """Lay out a model repository: name -> folder of version 1's files."""
    for name, files in models.items():
        version = root / name / "1"
        shutil.copytree(files, version)
    return root
