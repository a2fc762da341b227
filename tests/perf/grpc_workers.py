"""--grpc_workers 1, 2 and 4: requests/s, CPU per request, memory, one connection against several, and more cores.

    python tests/perf/grpc_workers.py [--cycles N] [--seconds S] [--connections N] [--workers N ...] [--weights_mb N]

A [1,10] model, asked by tests/perf/flood.py, which takes little of the two cores itself. The servers run at the same time
and are asked in alternating slices; medians, and quartiles in brackets; ratios are taken cycle by cycle. CPU and memory
(PSS, in which shared pages count once) are of all processes of a server. Then the same memory with a model of large
weights, which the device takes as they are.

What more cores make of it is computed, not measured: one interpreter's requests/s are those of one worker that has a core
for itself, and no machine does more than its cores' time divided by the CPU of a request. Workers have nothing to do with
each other's requests; what they cost each other all the same, in caches and changes of threads, shows in the CPU of a request
with 2 and with 4.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from peers.tree import spent_s
from tritonclient.grpc import service_pb2 as pb

import small_models
from ovserve.bench.cells import ratio, whole
from ovserve.bench.summary import spread
from server_process import ServerProcess
from worker_processes import workers

INFER = "/inference.GRPCInferenceService/ModelInfer"
FLOOD = Path(__file__).parent / "flood.py"
MANY = Path(__file__).parents[1] / "on_many_cores.py"
CORES = (2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Slice:
    """What one slice of one server gave."""

    per_s: float
    cpu_us: float
    client_us: float


def message(folder: Path) -> Path:
    request = pb.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 10])
    request.raw_input_contents.append(np.zeros(10, np.float32).tobytes())
    file = folder / "message"
    file.write_bytes(request.SerializeToString())
    return file


def measured(server: ServerProcess, connections: int, seconds: float, file: Path) -> Slice:
    before_s = spent_s(server.process.pid)
    command = [sys.executable, str(FLOOD), server.address, str(connections), str(seconds), str(file), INFER]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    cpu_s, requests = spent_s(server.process.pid) - before_s, found["requests"]
    return Slice(requests / found["seconds"], 1e6 * cpu_s / requests, 1e6 * found["cpu_s"] / requests)


def pss_mb(server: ServerProcess) -> float:
    found = 0
    for pid in (server.process.pid, *workers(server)):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        found += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found / 1024


@contextmanager
def running(root: Path, *flags: str) -> Iterator[ServerProcess]:
    server = ServerProcess("--model_repository", str(root), *flags, program=[str(MANY)])
    try:
        yield server
    finally:
        server.stop()


def project(per_s: float, cpu_us: float) -> None:
    """Print what one interpreter's figures make of more cores."""
    print(f"\nComputed from {per_s:.0f} requests/s and {cpu_us:.0f} us of CPU per request of one worker:\n")
    print("| cores | one worker | half as many workers as cores | as many | the cores' bound |")
    print("|---|---|---|---|---|")
    for cores in CORES:
        bound = cores * 1e6 / cpu_us
        cells = [min(bound, count * per_s) for count in (1, max(1, cores // 2), cores)]
        print(f"| {cores} | {' | '.join(f'{cell:.0f}' for cell in (*cells, bound))} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--weights_mb", type=int, default=128)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        small_models.save(small_models.add_one([1, 10]), root / "models/tiny/1")
        file = message(root)
        servers = {n: stack.enter_context(running(root / "models", "--grpc_workers", str(n))) for n in given.workers}
        cases = {(n, connections): list[Slice]() for n in servers for connections in (1, given.connections)}
        for cycle in range(given.cycles + 1):
            for (count, connections), slices in cases.items():
                found = measured(servers[count], connections, given.seconds, file)
                if cycle:  # the first one warms up
                    slices.append(found)
        show(cases, {count: pss_mb(server) for count, server in servers.items()}, given.connections)
    show_weights(given.weights_mb, given.workers)


def show_weights(weights_mb: int, counts: list[int]) -> None:
    """Print what a model of that size takes in so many processes."""
    print(f"\n| workers | PSS MB with {weights_mb} MB of weights |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        model = small_models.table(np.arange(weights_mb << 18, dtype=np.float32))
        small_models.save(model, Path(folder) / "table/1")
        for count in counts:
            with running(Path(folder), "--grpc_workers", str(count)) as server:
                print(f"| {count} | {pss_mb(server):.0f} |")


def show(cases: dict[tuple[int, int], list[Slice]], memory_mb: dict[int, float], most: int) -> None:
    fewest = min(count for count, _ in cases)
    print(f"| workers | connections | requests/s | server CPU us | client CPU us | against {fewest} | PSS MB |")
    print("|---|---|---|---|---|---|---|")
    for (count, connections), slices in cases.items():
        alone = cases[fewest, connections]
        against = ratio(spread([ours.per_s / one.per_s for ours, one in zip(slices, alone, strict=True)]))
        cells = [whole(spread([getattr(each, name) for each in slices])) for name in ("per_s", "cpu_us", "client_us")]
        print(f"| {count} | {connections} | {' | '.join(cells)} | {against} | {memory_mb[count]:.0f} |")
    one = cases[fewest, most]
    project(spread([each.per_s for each in one]).median, spread([each.cpu_us for each in one]).median)


if __name__ == "__main__":
    main()
