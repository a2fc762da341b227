"""Resident memory of a server over plain OpenVINO that does the same.

    python tests/perf/memory.py [requests]

First the face detector that the project carries, in the shape of its own: how much is resident after 200 requests, of
the server asked by 4 clients, and of a process that only has OpenVINO, with as many requests as it recommends. Then 100,000
requests of changing shapes to a model of any height and width, asked by one client, against a bare loop that sends the
same shapes to one InferRequest, as OpenVINO is by default and with the CPU_RUNTIME_CACHE_CAPACITY that ovserve gives such
models: how resident memory grew over the second half (least squares).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from resident import resident_mb, slope_kb

import small_models
from ovclient import Client
from ovserve.bench.load import put_load
from server_process import ServerProcess

FACES = Path(__file__).resolve().parents[2] / "model_repository/face-detection"
SHAPE = (1, 3, 300, 300)
REQUESTS = 200
LOOKS = 100
DYNAMIC = "(1,3,-1,-1)"
SMALL_CACHE = {"CPU_RUNTIME_CACHE_CAPACITY": 100}


def shapes(count: int) -> Iterator[tuple[int, ...]]:
    chance = np.random.default_rng(7)
    for _ in range(count):
        yield (1, 3, *chance.integers(8, 64, 2).tolist())


def bare_static() -> list[float]:
    """Resident memory after REQUESTS inferences of the face detector."""
    import openvino as ov  # noqa: PLC0415 - in a process of its own

    model = ov.Core().read_model(next(FACES.rglob("*.xml")))
    model.reshape(SHAPE)
    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    queue = ov.AsyncInferQueue(compiled)
    for _ in range(REQUESTS):
        queue.start_async([np.zeros(SHAPE, np.float32)])
    queue.wait_all()
    return [resident_mb("self")]


def bare_changing(file: Path, count: int, properties: dict[str, object]) -> list[float]:
    import openvino as ov  # noqa: PLC0415 - in a process of its own

    model = ov.Core().read_model(file)
    model.reshape(ov.PartialShape([1, 3, -1, -1]))
    hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
    request = ov.Core().compile_model(model, "CPU", hint | properties).create_infer_request()
    found = []
    for index, shape in enumerate(shapes(count), 1):
        request.infer([np.zeros(shape, np.float32)])
        if index % (count // LOOKS) == 0:
            found.append(resident_mb("self"))
    return found


def served_static() -> list[float]:
    shape = f"({','.join(map(str, SHAPE))})"
    server = ServerProcess("--model_name", "faces", "--model_path", str(FACES), "--shape", shape)
    met = 0
    while met < REQUESTS:
        (level,) = put_load("faces", server.address, clients=4, seconds=1).levels
        met += level.requests
    found = [resident_mb(server.process.pid)]
    server.stop()
    return found


def served_changing(folder: Path, count: int) -> list[float]:
    server = ServerProcess("--model_name", "sums", "--model_path", str(folder), "--shape", DYNAMIC)
    found = []
    with Client(server.address) as client:
        for index, shape in enumerate(shapes(count), 1):
            client.infer("sums", np.zeros(shape, np.float32))
            if index % (count // LOOKS) == 0:
                found.append(resident_mb(server.process.pid))
    server.stop()
    return found


def in_a_process(*arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main(count: int = 100_000) -> None:
    (ours,), (theirs,) = served_static(), in_a_process("static")
    print(
        f"face-detection {list(SHAPE)}: ovserve {ours:.0f} MB, plain OpenVINO {theirs:.0f} MB: {ours - theirs:+.0f} MB"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "sums"
        version = small_models.save(small_models.channel_sum(), folder / "1")
        for what, properties in (("bare loop", {}), ("bare loop, small cache", SMALL_CACHE)):
            file = str(version / "model.xml")
            tell(what, in_a_process("changing", file, str(count), json.dumps(properties)), count)
        tell("ovserve", served_changing(folder, count), count)


def tell(what: str, found: list[float], count: int) -> None:
    rate = slope_kb(found) / (count // LOOKS) * 1000
    print(
        f"{what}, {count} requests of changing shapes: {found[0]:.1f} MB at first, {found[-1]:.1f} MB at the end, "
        f"slope of the second half {rate:+.2f} KB per 1000 requests",
        flush=True,
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["static"]:
            print(json.dumps(bare_static()))
        case ["changing", file, count, properties]:
            print(json.dumps(bare_changing(Path(file), int(count), json.loads(properties))))
        case arguments:
            main(*map(int, arguments))
