"""What idle models cost a busy one, and what models that are all busy cost each other.

    python tests/perf/core_budget.py MODEL_FOLDER [seconds per slice] [slices] [clients] [plugin_config]

The model must take pictures of any height and width, as face-detection-retail-0004 does. Two servers: one has it alone,
the other six times, once with `auto` and eight compiled shapes. Slices in turn, in either order, by clients in a process
of their own; prints ratios with quartiles, threads, memory, and what the idle server takes of the processors.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ovserve.bench import cpu
from ovserve.bench.cells import ratio
from ovserve.bench.summary import spread
from ovserve.cores import visible_cores
from server_process import ServerProcess

SHAPES = tuple((1, 3, 200 + 20 * step, 300) for step in range(8))
MODELS = tuple(f"m{number}" for number in range(6))
AUTO = "m5"
IDLE_S = 5


def drive(address: str, models: list[str], clients: int, seconds: float) -> list[float]:
    """Ask each of `models` with `clients` clients in a closed loop; each answer's time in seconds."""
    import numpy as np  # noqa: PLC0415 - in the clients' process only

    from ovclient import Client  # noqa: PLC0415 - likewise

    with Client(address) as client:
        (tensor,) = client.metadata(models[0]).inputs
        x = np.zeros([max(length, 1) for length in tensor.shape], np.float32)
        end = time.monotonic() + seconds

        def loop(model: str) -> list[float]:
            times = []
            while (started := time.monotonic()) < end:
                client.infer(model, {tensor.name: x})
                times.append(time.monotonic() - started)
            return times

        with ThreadPoolExecutor(clients * len(models)) as threads:
            futures = [threads.submit(loop, model) for model in models for _ in range(clients)]
            return [t for future in futures for t in future.result()]


def compile_variants(server: ServerProcess) -> None:
    """Ask for each shape until it has been compiled for itself."""
    import numpy as np  # noqa: PLC0415 - as above

    from ovclient import Client  # noqa: PLC0415 - as above

    with Client(server.address) as client:
        (tensor,) = client.metadata(AUTO).inputs
        while server.log.count("shape compiled") < len(SHAPES):
            for shape in SHAPES:
                client.infer(AUTO, {tensor.name: np.zeros(shape, np.float32)})
            time.sleep(0.2)


def slice_of(server: ServerProcess, models: tuple[str, ...], clients: int, seconds: float) -> tuple[float, ...]:
    """Requests per second, 99th percentile in ms, and processor ms per request of the server."""
    before_s = cpu.process_s(server.process.pid)
    command = [sys.executable, __file__, "--drive", server.address, ",".join(models), str(clients), str(seconds)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, p99_ms = map(float, output.split())
    return count / seconds, p99_ms, 1000 * (cpu.process_s(server.process.pid) - before_s) / count


def size(server: ServerProcess) -> str:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    threads = re.search(r"Threads:\s+(\d+)", status)[1]
    return f"{threads} threads, {server.resident_kb() / 1024:.0f} MB"


def idle(server: ServerProcess) -> str:
    before_s = cpu.process_s(server.process.pid)
    time.sleep(IDLE_S)
    return f"{100 * (cpu.process_s(server.process.pid) - before_s) / IDLE_S:.1f} % of a core"


def show(what: str, rows: list[tuple[float, ...]], base: list[tuple[float, ...]]) -> None:
    for name, place in (("throughput", 0), ("p99", 1), ("processor time per request", 2)):
        ratios = [row[place] / other[place] for row, other in zip(rows, base, strict=True)]
        median, alone = (statistics.median(row[place] for row in some) for some in (rows, base))
        print(f"{what}: {name} {ratio(spread(ratios))} of alone, medians {median:.1f} and {alone:.1f}")


def serve(folder: Path, model: Path, names: tuple[str, ...], plugin_config: dict[str, str]) -> ServerProcess:
    settings = {"base_path": str(model), "plugin_config": plugin_config}
    entries = [{"config": {"name": name, **settings}} for name in names]
    for entry in entries:
        if entry["config"]["name"] == AUTO:
            entry["config"]["shape"] = "auto"
    config = folder / f"{len(names)}.json"
    config.write_text(json.dumps({"model_config_list": entries}))
    return ServerProcess("--config_path", str(config))


def main(model: str, seconds: float = 2, slices: int = 8, clients: int = 4, plugin_config: str = "{}") -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone = serve(Path(folder), Path(model).resolve(), MODELS[:1], json.loads(plugin_config))
        among = serve(Path(folder), Path(model).resolve(), MODELS, json.loads(plugin_config))
        compile_variants(among)
        print(f"{visible_cores()} cores; {len(MODELS)} models, {len(SHAPES)} variants")
        print(f"idle: alone {size(alone)}, {idle(alone)}; among others {size(among)}, {idle(among)}")
        whats = {
            "alone": (alone, MODELS[:1], clients),
            "one busy": (among, MODELS[:1], clients),
            "alone, with as many clients": (alone, MODELS[:1], 2 * len(MODELS)),
            "all busy": (among, MODELS, 2),
        }
        found: dict[str, list[tuple[float, ...]]] = {what: [] for what in whats}
        for number in range(slices):
            for what, (server, models, count) in list(whats.items())[:: 1 if number % 2 else -1]:
                found[what].append(slice_of(server, models, count, seconds))
        show(f"one busy, {clients} clients", found["one busy"], found["alone"])
        show("all busy, 2 clients each", found["all busy"], found["alone, with as many clients"])
        print(f"afterwards: alone {size(alone)}; among others {size(among)}")
        alone.stop()
        among.stop()


if __name__ == "__main__":
    if sys.argv[1] == "--drive":
        times_s = sorted(drive(sys.argv[2], sys.argv[3].split(","), int(sys.argv[4]), float(sys.argv[5])))
        print(len(times_s), 1000 * times_s[len(times_s) * 99 // 100])
    else:
        main(sys.argv[1], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:5]), *sys.argv[5:6])
