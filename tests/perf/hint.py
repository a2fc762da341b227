"""What our default and the two performance hints give when served: requests per second, in alternating slices.

    python tests/perf/hint.py MODEL_FOLDER [seconds per slice] [slices] [batch size]

Starts one server with the model as it is by default and one per hint, drives each over loopback with 1, 2 and 4 clients
(threads of a process of their own), and prints medians and quartiles over the slices, and ratios slice by slice.
"""

import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ovserve.bench.cells import rate, ratio
from ovserve.bench.summary import spread
from server_process import ServerProcess

OURS = "default"
HINTS = ("LATENCY", "THROUGHPUT")
CLIENTS = (1, 2, 4)


def drive(address: str, clients: int, seconds: float) -> list[float]:
    """Ask in a closed loop and return each answer's time in seconds."""
    import numpy as np  # noqa: PLC0415 - in the clients' process only

    from ovclient import Client  # noqa: PLC0415 - likewise

    with Client(address) as client:
        (tensor,) = client.metadata("m").inputs
        x = np.zeros([max(length, 1) for length in tensor.shape], np.float32)
        end = time.monotonic() + seconds

        def loop() -> list[float]:
            times = []
            while (started := time.monotonic()) < end:
                client.infer("m", {tensor.name: x})
                times.append(time.monotonic() - started)
            return times

        with ThreadPoolExecutor(clients) as threads:
            return [t for future in [threads.submit(loop) for _ in range(clients)] for t in future.result()]


def slice_of(address: str, clients: int, seconds: float) -> tuple[float, float]:
    """One slice in a process of its own: requests per second and median milliseconds."""
    command = [sys.executable, __file__, "--drive", address, str(clients), str(seconds)]
    rate, median = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(rate), float(median)


def main(model: str, seconds: float = 3, slices: int = 5, batch: int = 0) -> None:
    own = ["--model_name", "m", "--model_path", model, *(["--batch_size", str(batch)] if batch else [])]
    hints = {hint: ["--plugin_config", f'{{"PERFORMANCE_HINT": "{hint}"}}'] for hint in HINTS}
    servers = {name: ServerProcess(*own, *flags) for name, flags in {OURS: [], **hints}.items()}
    slice_of(servers[OURS].address, max(CLIENTS), 2.0)  # it is compiled for many when many ask
    found: dict[int, dict[str, list[tuple[float, float]]]] = {each: {name: [] for name in servers} for each in CLIENTS}
    for _ in range(slices):
        for clients, rows in found.items():
            for name, server in servers.items():
                rows[name].append(slice_of(server.address, clients, seconds))
    for server in servers.values():
        server.stop()
    for clients, rows in found.items():
        for name, measured in rows.items():
            rates = [per_s for per_s, _ in measured]
            ratios = [ours / per_s for (ours, _), per_s in zip(rows[OURS], rates, strict=True)]
            median_ms = statistics.median(ms for _, ms in measured)
            print(
                f"{clients} clients, {name:10} {rate(spread(rates))} requests/s, median {median_ms:.2f} ms; "
                f"{OURS} / it {ratio(spread(ratios))}"
            )


if __name__ == "__main__":
    if sys.argv[1] == "--drive":
        times_s = drive(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
        print(len(times_s) / float(sys.argv[4]), 1000 * statistics.median(times_s))
    else:
        main(sys.argv[1], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:5]))
