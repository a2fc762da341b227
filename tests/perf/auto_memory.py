"""Resident memory of a server that meets ever new shapes, against a bare OpenVINO loop.

    python tests/perf/auto_memory.py [shapes] [times each]

Sends random shapes to ../shared/models/face-detection-retail-0004, served with `--shape auto --auto_shape_cache 8`: each
shape once, and again from a fresh server each of them several times, so that some are compiled for themselves. The bare
loop compiles each shape as OpenVINO's documents show, keeps the last 8 compiled models and runs each once. Prints what is
resident at the end, and how it grew over the second half (least squares).
"""

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from resident import resident_mb, slope_kb

from ovclient import Client
from server_process import ServerProcess

CACHE = 8
FACES = Path(__file__).resolve().parents[3] / "shared/models/face-detection-retail-0004"


def shapes(count: int) -> list[tuple[int, ...]]:
    chance = np.random.default_rng(7)
    return [(1, 3, *chance.integers(100, 600, 2).tolist()) for _ in range(count)]


def bare(count: int) -> None:
    """Print the resident memory after each shape."""
    import openvino as ov  # noqa: PLC0415 - in a process of its own

    core = ov.Core()
    source = core.read_model(next(FACES.rglob("*.xml")))
    kept: OrderedDict[tuple[int, ...], ov.CompiledModel] = OrderedDict()
    for shape in shapes(count):
        model = source.clone()
        model.reshape(shape)
        kept[shape] = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
        if len(kept) > CACHE:
            kept.popitem(last=False)
        kept[shape].create_infer_request().infer([np.zeros(shape, np.float32)])
        print(resident_mb("self"), flush=True)


def ours(count: int, times: int) -> list[float]:
    settings = ("--shape", "auto", "--auto_shape_cache", str(CACHE))
    server = ServerProcess("--model_name", "faces", "--model_path", str(FACES), *settings)
    found = []
    with Client(server.address) as client:
        for shape in shapes(count):
            for _ in range(times):
                client.infer("faces", np.zeros(shape, np.float32))
            found.append(resident_mb(server.process.pid))
    server.stop()
    print(f"  compilations behind the requests: {server.log.count('shape compiled')}")
    return found


def tell(what: str, found: list[float], other_mb: float | None = None) -> float:
    ratio = "" if other_mb is None else f", {max(found) / other_mb:.2f} of the bare loop's highest"
    print(
        f"{what}: highest {max(found):.0f} MB, at the end {found[-1]:.0f} MB, "
        f"slope of the second half {slope_kb(found):+.1f} KB a shape{ratio}",
        flush=True,
    )
    return max(found)


def main(count: int = 2000, times: int = 5) -> None:
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    command = [sys.executable, __file__, "--bare", str(count)]
    bare_mb = [float(line) for line in run(command, capture_output=True, text=True, check=True).stdout.splitlines()]
    highest_mb = tell("bare loop", bare_mb)
    for each in (1, times):
        tell(f"ovserve, each shape {each} times", ours(count, each), highest_mb)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        bare(int(sys.argv[2]))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
