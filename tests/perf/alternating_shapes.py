"""Three shapes of face detection in turn: `--shape auto` against precompiled models and against reloading.

    python tests/perf/alternating_shapes.py [slices] [seconds per slice]

Serves ../shared/models/face-detection-retail-0004 twice, as one model with `auto` and as three static models, asks each
shape once, and then lets 4 clients, each with a connection of its own and going from shape to shape at every request,
ask the two servers in alternating slices. Compiling the shapes falls into the first slices of `auto`. Beside it, in
process and without any transport, what the originals do: one compiled model, which is compiled anew whenever the shape
changes, while all wait. Prints ratios of slices side by side, median and quartiles, and the percentiles of all requests.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from ovserve.bench import cpu
from ovserve.bench.cells import ratio
from ovserve.bench.summary import spread
from server_process import ServerProcess

CLIENTS = 4
SHAPES = ((1, 3, 300, 300), (1, 3, 400, 600), (1, 3, 500, 500))
FACES = Path(__file__).resolve().parents[3] / "shared/models/face-detection-retail-0004"


def in_turn(call: Callable[[int], object], first: int, seconds: float) -> list[float]:
    """Call for shape after shape in a closed loop, and return each call's time in seconds."""
    times = []
    end = time.monotonic() + seconds
    for index in islice(cycle(range(len(SHAPES))), first, None):
        if (started := time.monotonic()) >= end:
            return times
        call(index)
        times.append(time.monotonic() - started)
    return times


def together(connect: Callable[[], Callable[[int], object]], seconds: float) -> list[float]:
    calls = [connect() for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        futures = [threads.submit(in_turn, call, first, seconds) for first, call in enumerate(calls)]
        return [taken for future in futures for taken in future.result()]


def drive(address: str, names: list[str], seconds: float) -> list[float]:
    """One slice: 4 clients over gRPC, with messages made beforehand."""
    import grpc  # noqa: PLC0415 - in the clients' process only
    from tritonclient.grpc import service_pb2 as pb  # noqa: PLC0415 - likewise

    messages = []
    for name, shape in zip(names, SHAPES, strict=True):
        message = pb.ModelInferRequest(model_name=name)
        message.inputs.add(name="data", datatype="FP32", shape=shape)
        message.raw_input_contents.append(np.random.default_rng(0).random(shape, np.float32).tobytes())
        messages.append(message.SerializeToString())
    channels = []

    def connect() -> Callable[[int], object]:
        channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        channels.append(channel)
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        infer(messages[0])
        return lambda index: infer(messages[index])

    if seconds == 0:
        call = connect()
        times = [call(index) for index in range(len(SHAPES))] and []
    else:
        times = together(connect, seconds)
    for channel in channels:
        channel.close()
    return times


def driven(server: ServerProcess, names: list[str], seconds: float) -> tuple[list[float], float]:
    """One slice in a process of its own: the times, and the server's CPU per request."""
    before_s = cpu.process_s(server.process.pid)
    command = [sys.executable, __file__, "--drive", server.address, json.dumps(names), str(seconds)]
    times = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return times, (cpu.process_s(server.process.pid) - before_s) / max(1, len(times))


class Reloading:
    """What the originals do (spec B.4): a request of another shape waits until none runs, then the model is reloaded."""

    def __init__(self) -> None:
        import openvino as ov  # noqa: PLC0415 - not in the clients' process

        self._core = ov.Core()
        self._model = self._core.read_model(FACES / "1/model.xml") if (FACES / "1").is_dir() else None
        self._model = self._model or self._core.read_model(next(FACES.rglob("*.xml")))
        self._pictures = [np.random.default_rng(0).random(shape, np.float32) for shape in SHAPES]
        self._compiled: tuple[int, object] = (-1, None)
        self._running = 0
        self._changed = threading.Condition()

    def infer(self, index: int) -> None:
        with self._changed:
            while self._compiled[0] != index and self._running:
                self._changed.wait()
            if self._compiled[0] != index:
                self._model.reshape(SHAPES[index])
                hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
                self._compiled = (index, self._core.compile_model(self._model, "CPU", hint))
            self._running += 1
            compiled = self._compiled[1]
        compiled.create_infer_request().infer([self._pictures[index]])
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


def save_static(folder: Path) -> list[str]:
    import openvino as ov  # noqa: PLC0415 - not in the clients' process

    names = []
    for shape in SHAPES:
        model = ov.Core().read_model(next(FACES.rglob("*.xml")))
        model.reshape(shape)
        names.append("faces_" + "x".join(map(str, shape)))
        (folder / names[-1] / "1").mkdir(parents=True)
        ov.save_model(model, folder / names[-1] / "1/model.xml", compress_to_fp16=False)
    return names


def percentiles(times_s: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times_s, n=100)
    return {"p50": 1000 * cuts[49], "p90": 1000 * cuts[89], "p99": 1000 * cuts[98]}


def main(slices: int = 6, seconds: float = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = {"static": save_static(Path(folder)), "auto": ["faces"] * len(SHAPES)}
        servers = {
            "static": ServerProcess("--model_repository", folder),
            "auto": ServerProcess("--model_name", "faces", "--model_path", str(FACES), "--shape", "auto"),
        }
        reloading = Reloading()
        found: dict[str, list[tuple[list[float], float]]] = {"static": [], "auto": [], "reloading": []}
        for kind, server in servers.items():
            driven(server, names[kind], 0)
        for turn in range(slices):
            for kind in ("static", "auto") if turn % 2 else ("auto", "static"):
                found[kind].append(driven(servers[kind], names[kind], seconds))
            found["reloading"].append((together(lambda: reloading.infer, seconds), 0))
        for server in servers.values():
            server.stop()
    print("| | requests/s | p50 ms | p90 ms | p99 ms | server CPU ms/request |")
    print("|---|---|---|---|---|---|")
    for kind, runs in found.items():
        p = percentiles([taken for times, _ in runs for taken in times])
        rates, spent = [len(times) / seconds for times, _ in runs], [1000 * s for _, s in runs]
        print(
            f"| {kind} | {ratio(spread(rates))} | {p['p50']:.1f} | {p['p90']:.1f} | {p['p99']:.1f} "
            f"| {'' if kind == 'reloading' else ratio(spread(spent))} |"
        )
    count = {kind: [len(times) for times, _ in runs] for kind, runs in found.items()}
    tail = {kind: [percentiles(times)["p99"] for times, _ in runs] for kind, runs in found.items()}
    for what, values in (("throughput", count), ("p99", tail)):
        for other in ("static", "reloading"):
            ratios = [a / b for a, b in zip(values["auto"], values[other], strict=True)]
            print(f"{what} auto/{other}: {ratio(spread(ratios))}, slices {', '.join(f'{r:.2f}' for r in ratios)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        print(json.dumps(drive(sys.argv[2], json.loads(sys.argv[3]), float(sys.argv[4]))))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
