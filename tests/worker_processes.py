"""A server with several workers, seen from outside: its processes, their connections, and clients of each."""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

from server_process import ServerProcess

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
_ESTABLISHED = "01"
_MEMBER = b"ovserve.workers.member"


def client(server: ServerProcess, **options: object) -> triton.InferenceServerClient:
    """A client with a connection of its own, which it has when this returns."""
    made = triton.InferenceServerClient(server.address, channel_args=OWN_CONNECTION, **options)
    assert made.is_server_live()
    return made


def workers(server: ServerProcess) -> list[int]:
    """The processes that the server has started to answer gRPC beside it."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == server.process.pid and _MEMBER in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return sorted(found)


def connections(server: ServerProcess) -> dict[int, int]:
    """How many clients each process of the server is connected to."""
    port = f":{server.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == _ESTABLISHED}
    counts: Counter[int] = Counter()
    for pid in (server.process.pid, *workers(server)):
        counts[pid] = 0
        for place in Path(f"/proc/{pid}/fd").iterdir():
            try:
                counts[pid] += str(place.readlink()) in sockets
            except OSError:
                continue
    return dict(counts)


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, "it did not come to pass"
        time.sleep(0.01)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def tensor(name: str, values: object, kind: str = "FP32") -> triton.InferInput:
    data = np.array(values, {"FP32": np.float32, "INT64": np.int64}[kind])
    made = triton.InferInput(name, list(data.shape), kind)
    made.set_data_from_numpy(data)
    return made


def log_events(server: ServerProcess, event: str) -> list[str]:
    return [line for line in server.log.splitlines() if re.search(rf"\] {re.escape(event)}", line)]
