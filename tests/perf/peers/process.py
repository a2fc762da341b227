"""A peer as a process: started, waited for, stopped with all its children."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import InferenceServerClient, InferenceServerException

START_TIMEOUT_S = 120
_LOOK_S = 0.2
_STOP_TIMEOUT_S = 30
_TOLD = 1500


class DidNotStart(Exception):
    """A peer did not serve its model; what it said last goes to standard error."""


@dataclass(frozen=True)
class Server:
    address: str
    pid: int


Way = Callable[[], AbstractContextManager[Server]]


@contextmanager
def running(command: Sequence[str | Path], folder: Path, port: int, model: str) -> Iterator[Server]:
    """Run `command` in `folder` until the block ends; it serves gRPC on `port`. Raises `DidNotStart`."""
    address, log = f"127.0.0.1:{port}", folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, start_new_session=True)
    try:
        if not _ready(process, address, model):
            print(log.read_text(errors="replace")[-_TOLD:], file=sys.stderr, flush=True)
            raise DidNotStart("it did not start")
        yield Server(address, process.pid)
    finally:
        _stop(process)


def _ready(process: subprocess.Popen[bytes], address: str, model: str) -> bool:
    end_s = time.monotonic() + START_TIMEOUT_S
    with InferenceServerClient(address) as client:
        while process.poll() is None and time.monotonic() < end_s:
            with suppress(InferenceServerException):
                if client.is_model_ready(model):
                    return True
            time.sleep(_LOOK_S)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.terminate()
        process.wait(_STOP_TIMEOUT_S)
    with suppress(ProcessLookupError):  # whoever of its children remains
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
