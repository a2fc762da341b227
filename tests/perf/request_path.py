"""What our code takes of a request: ModelInfer's handler from bytes to bytes, without a socket, beside OpenVINO alone.

    python tests/perf/request_path.py [tiny mid large face] [--threads 1 4] [--rounds 25] [--profile]

Each case is asked by so many threads at once, in turn with a bare loop of as many threads that have an infer request
each. Prints microseconds per request, medians of the rounds, and the handler's CPU by the bare loop's, round by round,
with quartiles. CPU is the process's, so OpenVINO's threads count. The machine should have nothing else to do; where it
does, wall time says little.
"""

import argparse
import cProfile
import pstats
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import openvino as ov

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tritonclient.grpc import service_pb2 as pb

import small_models
from ovserve.bench.cells import ratio
from ovserve.bench.summary import spread
from ovserve.config.settings import Settings
from ovserve.core import compose
from ovserve.freed_memory import keep_freed_memory
from ovserve.frontends.grpc.kserve import InferenceService
from ovserve.http2.inbox import PREFIX_BYTES, Inbox

FACE = Path(__file__).resolve().parents[3] / "shared/models/face-detection-retail-0004"
LIKE_OURS = {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": False}
QUICK = {"NUM_STREAMS": 0, "INFERENCE_NUM_THREADS": 1}


@dataclass(frozen=True)
class Case:
    """A model, what its input is called, and how many requests make a round of one thread."""

    make: Callable[[Path], object]
    shape: list[int]
    requests: int
    properties: dict[str, Any]
    name: str = "x"


def small(model: ov.Model) -> Callable[[Path], object]:
    return lambda folder: small_models.save(model, folder / "1")


CASES = {
    "tiny": Case(small(small_models.add_one([1, 10])), [1, 10], 200, QUICK),
    "mid": Case(small(small_models.add_one([1, 1 << 14])), [1, 1 << 14], 200, QUICK),
    "large": Case(small(small_models.pass_through("f32", [1, 2 << 20])), [1, 2 << 20], 10, LIKE_OURS),
    "face": Case(lambda folder: shutil.copytree(FACE, folder), [1, 3, 300, 300], 8, LIKE_OURS, "data"),
}


class Context:
    """As much of a call as an answer needs."""

    def time_remaining(self) -> float:
        return inf

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return True

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def abort(self, code: Any, details: str) -> None:
        raise RuntimeError(f"{code}: {details}")


def received(name: str, case: Case) -> bytes | memoryview:
    """Make a request as the server receives it."""
    message = pb.ModelInferRequest(model_name=name)
    message.inputs.add(name=case.name, datatype="FP32", shape=case.shape)
    message.raw_input_contents.append(np.arange(np.prod(case.shape), dtype=np.float32).tobytes())
    data = message.SerializeToString()
    inbox = Inbox(len(data), "identity")
    inbox.take(b"\0" + len(data).to_bytes(PREFIX_BYTES - 1), 0, PREFIX_BYTES)
    (whole,) = inbox.take(data, 0, len(data))
    return whole


@contextmanager
def handlers(names: list[str]) -> Iterator[dict[str, Callable[[], object]]]:
    """Serve the models, and make for each what asks it once."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            CASES[name].make(Path(folder) / name)
        core = compose(Settings(model_repository=[Path(folder)]))
        core.load()
        core.dataplane.open()
        answer, context = InferenceService(core.dataplane, core.shared_memory).answer, Context()
        asked = {name: received(name, CASES[name]) for name in names}
        yield {name: lambda data=data: answer(data, context) for name, data in asked.items()}  # type: ignore[misc]


def bare(name: str, threads: int) -> Callable[[], object]:
    """Make what runs the model once, with its input bound, and copies its outputs."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        case.make(Path(folder) / name)
        compiled = ov.Core().compile_model(str(Path(folder) / name / "1" / "model.xml"), "CPU", case.properties)
    free: SimpleQueue[ov.InferRequest] = SimpleQueue()
    tensors = [ov.Tensor(np.ones(case.shape, np.float32)) for _ in range(threads)]
    for tensor in tensors:
        request = compiled.create_infer_request()
        request.set_input_tensor(0, tensor)
        free.put(request)

    def run() -> None:
        request = free.get()
        request.infer(share_outputs=True)
        request.get_output_tensor(0).data.copy()
        free.put(request)

    run.tensors = tensors  # type: ignore[attr-defined] - the infer requests keep addresses only
    return run


def measured(work: Callable[[], object], threads: int, count: int) -> tuple[float, float]:
    """Wall and CPU microseconds of the process per call."""
    workers = [threading.Thread(target=lambda: [work() for _ in range(count)]) for _ in range(threads)]
    begun = time.perf_counter_ns(), time.process_time_ns()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ended = time.perf_counter_ns(), time.process_time_ns()
    wall, cpu = ((b - a) / count / threads / 1000 for a, b in zip(begun, ended, strict=True))
    return wall, cpu


def compare(name: str, handler: Callable[[], object], threads: int, rounds: int) -> None:
    alone, count = bare(name, threads), max(1, CASES[name].requests // threads)
    measured(handler, threads, count)
    measured(alone, threads, count)
    found = [(measured(handler, threads, count), measured(alone, threads, count)) for _ in range(rounds)]
    ours, limit = ([statistics.median(times) for times in zip(*side, strict=True)] for side in zip(*found, strict=True))
    against = spread([one[1] / other[1] for one, other in found])
    print(
        f"{name}, {threads} threads: handler wall {ours[0]:.1f} us, CPU {ours[1]:.1f} us; "
        f"bare wall {limit[0]:.1f} us, CPU {limit[1]:.1f} us; CPU {ratio(against)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="all by default; face needs ../shared")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--profile", action="store_true", help="show where cProfile saw the time of tiny requests")
    arguments = parser.parse_args()
    keep_freed_memory()
    names = arguments.cases or [name for name in CASES if name != "face" or FACE.is_dir()]
    with handlers([*dict.fromkeys([*names, *["tiny"] * arguments.profile])]) as asked:
        for name in names:
            for threads in arguments.threads:
                compare(name, asked[name], threads, arguments.rounds)
        if arguments.profile:
            profile = cProfile.Profile()
            profile.runcall(lambda: [asked["tiny"]() for _ in range(5000)])
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
