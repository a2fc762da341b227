"""What the two performance hints give when served: requests per second and median time, in alternating slices.

    python tests/perf/hint.py MODEL_FOLDER [seconds per slice] [slices]

Starts one server per hint with the model, drives it over loopback with 1 and with 4 clients (threads of a process of
their own), and prints medians and quartiles over the slices.
"""

import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from server_process import ServerProcess

HINTS = ("LATENCY", "THROUGHPUT")
CLIENTS = (1, 4)


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


def main(model: str, seconds: float = 3, slices: int = 5) -> None:
    servers = {
        hint: ServerProcess(
            "--model_name", "m", "--model_path", model, "--plugin_config", f'{{"PERFORMANCE_HINT": "{hint}"}}'
        )
        for hint in HINTS
    }
    found: dict[tuple[str, int], list[tuple[float, float]]] = {(h, c): [] for h in HINTS for c in CLIENTS}
    for _ in range(slices):
        for (hint, clients), rows in found.items():
            rows.append(slice_of(servers[hint].address, clients, seconds))
    for server in servers.values():
        server.stop()
    for (hint, clients), rows in found.items():
        low, middle, high = statistics.quantiles([rate for rate, _ in rows], n=4)
        median_ms = statistics.median(ms for _, ms in rows)
        print(
            f"{hint:10} {clients} clients: {middle:7.1f} requests/s ({low:.1f}..{high:.1f}), median {median_ms:.2f} ms"
        )


if __name__ == "__main__":
    if sys.argv[1] == "--drive":
        times_s = drive(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
        print(len(times_s) / float(sys.argv[4]), 1000 * statistics.median(times_s))
    else:
        main(sys.argv[1], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:4]))
