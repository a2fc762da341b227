"""A real Triton with our plug-in against ovserve: requests per second and CPU per request, in alternating slices.

    python tests/perf/triton.py MODEL_FOLDER|tiny [seconds per slice] [slices] [file for the raw slices, as JSON]

`tiny` adds 1 to a [1,10] tensor. Triton is set up as the page on Triton says. Load comes from `ovclient bench` with 1 and
with 4 clients; CPU is that of each server's whole tree of processes. Prints medians, and quartiles in brackets.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "docs"))

import small_models
from checkout_copy import copy_of_the_checkout
from ovserve.bench import cpu, machine
from ovserve.bench.load import put_load
from ovserve.bench.summary import Spread, spread
from server_process import ServerProcess, repository
from triton_page import page, run
from triton_server import TritonProcess

CLIENTS = (1, 4)
NAME = "m"
TINY = "tiny"

Server = TritonProcess | ServerProcess
Slice = dict[str, float | int | str]


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # gone meanwhile
            continue
    found = [pid]
    for one in found:  # it grows while we walk it
        found += [child for child, parent in parents.items() if parent == one]
    return found


def measure(server: Server, clients: int, seconds: float) -> dict[str, float]:
    processes = tree(server.process.pid)
    before_s = sum(map(cpu.process_s, processes))
    (level,) = put_load(NAME, server.address, clients=clients, seconds=seconds).levels
    spent_s = sum(map(cpu.process_s, processes)) - before_s
    assert not level.failed, level.failed
    return {
        "requests_per_s": level.requests_per_s,
        "p50_ms": level.p50_ms or 0,
        "p99_ms": level.p99_ms or 0,
        "cpu_us": spent_s / level.met(clients) * 1e6,
    }


def measured(servers: dict[str, Server], seconds: float, slices: int) -> list[Slice]:
    """Each server in turn, another one first in each round."""
    for server in servers.values():
        put_load(NAME, server.address, clients=max(CLIENTS), seconds=min(1, seconds))
    rows: list[Slice] = []
    for index in range(slices):
        order = list(servers.items())[:: -1 if index % 2 else 1]
        for clients in CLIENTS:
            for by, server in order:
                rows.append({"index": index, "clients": clients, "by": by, **measure(server, clients, seconds)})
    return rows


def report(rows: Sequence[Slice]) -> None:
    for clients in CLIENTS:
        sides = {
            by: [row for row in rows if (row["clients"], row["by"]) == (clients, by)] for by in ("triton", "ovserve")
        }
        for by, its in sides.items():
            rate, spent = (
                text(spread([float(row[key]) for row in its]), "%.1f") for key in ("requests_per_s", "cpu_us")
            )
            print(f"{clients} clients, {by:7}: {rate} requests/s, {spent} us CPU per request")
        for key in ("requests_per_s", "cpu_us"):
            ratios = [
                float(one[key]) / float(other[key])
                for one, other in zip(sides["triton"], sides["ovserve"], strict=True)
            ]
            print(f"{clients} clients, triton/ovserve, {key}: {text(spread(ratios), '%.2f')}")


def text(found: Spread, form: str) -> str:
    return f"{form % found.median} ({form % found.low}..{form % found.high})"


def main(model: str, seconds: float = 3, slices: int = 7, raw: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = copy_of_the_checkout(Path(folder) / "ovserve")
        run(page("install"), home)
        root = Path(folder) / "models"
        if model == TINY:
            small_models.save(small_models.add_one([1, 10]), root / NAME / "1")
        else:
            (version,) = Path(model).resolve().glob("[1-9]*")
            repository(root, **{NAME: version})
        command = page("serve").rstrip().replace("$PWD/model_repository", str(root))
        servers: dict[str, Server] = {"triton": TritonProcess(command, home)}
        try:
            servers["ovserve"] = ServerProcess("--model_repository", str(root))
            rows = measured(servers, seconds, slices)
        finally:
            for server in servers.values():
                server.stop()
    if raw is not None:
        document = {
            "model": Path(model).name,
            "machine": machine.describe().model_dump(),
            "seconds": seconds,
            "slices": rows,
        }
        Path(raw).write_text(json.dumps(document, indent=1) + "\n")
    report(rows)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:4]), *sys.argv[4:5])
