"""Dynamic batching on against off: requests per second, times and CPU per request, in alternating slices.

    python tests/perf/batching.py [seconds per slice] [slices] [width] [clients ...]

The model is a small network of four layers of `width` (1024 without it) that takes any batch; each client asks for one
row at a time. Load comes from `ovclient bench` with 16 clients and with 1 unless others are named. Prints medians, and
quartiles in brackets, and how many requests ran together.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import openvino as ov
import tritonclient.grpc as triton
from openvino import opset13 as ops

import small_models
from batched_models import write
from ovserve.bench import cpu
from ovserve.bench.load import put_load
from ovserve.bench.summary import Spread, spread
from server_process import ServerProcess

NAME = "m"
MOST = 16
BATCHING = {
    "off": "",
    "on": "dynamic_batching { }",
    "on, 1 ms": "dynamic_batching { max_queue_delay_microseconds: 1000 }",
}

Slice = dict[str, float]


def network(width: int) -> ov.Model:
    """`x` [-1,width] -> `y` [-1,width]: four layers, each with its weights."""
    x = small_models.parameter("x", [-1, width])
    generator = np.random.default_rng(0)
    last = x
    for _ in range(4):
        weights = ops.constant((generator.standard_normal((width, width)) / width**0.5).astype(np.float32))
        last = ops.relu(ops.matmul(last, weights, transpose_a=False, transpose_b=True))
    return ov.Model([small_models.named(last, "y")], [x], "network")


def counts(server: ServerProcess) -> tuple[int, int]:
    with triton.InferenceServerClient(server.address) as client:
        (found,) = client.get_inference_statistics(NAME).model_stats
    return found.inference_count, found.execution_count


def measure(server: ServerProcess, clients: int, seconds: float) -> Slice:
    before_s, before = cpu.process_s(server.process.pid), counts(server)
    (level,) = put_load(NAME, server.address, clients=clients, seconds=seconds).levels
    spent_s, after = cpu.process_s(server.process.pid) - before_s, counts(server)
    assert not level.failed, level.failed
    return {
        "requests/s": level.requests_per_s,
        "p50 ms": level.p50_ms or 0,
        "p99 ms": level.p99_ms or 0,
        "CPU us/request": spent_s / level.met(clients) * 1e6,
        "requests/execution": (after[0] - before[0]) / (after[1] - before[1]),
    }


def report(clients: int, found: dict[str, list[Slice]]) -> None:
    for name, slices in found.items():
        shown = (f"{key} {text(spread([each[key] for each in slices]))}" for key in slices[0])
        print(f"{clients:3} clients, {name:9}: {', '.join(shown)}")
    for name in list(found)[1:]:
        for key in ("requests/s", "p99 ms", "CPU us/request"):
            ratios = [one[key] / other[key] for one, other in zip(found[name], found["off"], strict=True)]
            print(f"{clients:3} clients, {name} / off, {key}: {text(spread(ratios))}")


def text(found: Spread) -> str:
    return f"{found.median:.4g} ({found.low:.4g}..{found.high:.4g})"


def main(seconds: float = 3, slices: int = 7, width: int = 1024, levels: Sequence[int] = (16, 1)) -> None:
    with tempfile.TemporaryDirectory() as folder:
        servers = {}
        try:
            for index, (name, batching) in enumerate(BATCHING.items()):
                root = Path(folder) / str(index)
                write(root, f"max_batch_size: {MOST} {batching}", network(width))
                servers[name] = ServerProcess("--model_repository", str(root), "--model_control_mode", "none")
            for clients in levels:
                found: dict[str, list[Slice]] = {name: [] for name in servers}
                for server in servers.values():
                    put_load(NAME, server.address, clients=clients, seconds=min(1, seconds))
                for turn in range(slices):
                    for name in list(servers)[:: -1 if turn % 2 else 1]:
                        found[name].append(measure(servers[name], clients, seconds))
                report(clients, found)
        finally:
            for server in servers.values():
                server.stop()


if __name__ == "__main__":
    main(
        *map(float, sys.argv[1:2]),
        *map(int, sys.argv[2:4]),
        *([tuple(map(int, sys.argv[4:]))] if sys.argv[4:] else []),
    )
