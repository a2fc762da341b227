"""What our code takes of a request: ModelInfer's handler from bytes to bytes, without a socket, by stage.

    python tests/perf/request_path.py [--profile]

Prints the thread's CPU and wall time per request in microseconds, the median of several rounds; OpenVINO's own thread
shows in the process's CPU time.
"""

import argparse
import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tritonclient.grpc import service_pb2 as pb

import small_models
from ovserve.config.settings import Settings
from ovserve.core import compose
from ovserve.frontends.grpc.kserve import InferenceService

ROUNDS = 9
LARGE_BYTES = 8 << 20


class Context:
    """As much of a servicer context as an answer needs."""

    def time_remaining(self) -> float:
        return inf

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return True

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def abort(self, code: Any, details: str) -> None:
        raise RuntimeError(f"{code}: {details}")


def request(name: str, shape: list[int]) -> bytes:
    message = pb.ModelInferRequest(model_name=name)
    message.inputs.add(name="x", datatype="FP32", shape=shape)
    message.raw_input_contents.append(np.arange(np.prod(shape), dtype=np.float32).tobytes())
    return bytes(message.SerializeToString())


def measured(work: Callable[[], object], count: int) -> tuple[float, float, float]:
    """Wall, thread and process CPU microseconds per call."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns(), time.thread_time_ns(), time.process_time_ns()
        for _ in range(count):
            work()
        ended = time.perf_counter_ns(), time.thread_time_ns(), time.process_time_ns()
        rounds.append([(b - a) / count / 1000 for a, b in zip(begun, ended, strict=True)])
    wall, thread, process = (statistics.median(each) for each in zip(*rounds, strict=True))
    return wall, thread, process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="show where cProfile saw the time of tiny requests")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small_models.save(small_models.add_one([1, 10]), root / "tiny" / "1")
        small_models.save(small_models.pass_through("f32", [1, LARGE_BYTES // 4]), root / "large" / "1")
        core = compose(Settings(model_repository=[root]))
        core.load()
        core.dataplane.open()
        service = InferenceService(core.dataplane, core.control, core.shared_memory)
        answer = service.answer
        context: Any = Context()
        tiny, large = request("tiny", [1, 10]), request("large", [1, LARGE_BYTES // 4])
        show("tiny", measured(lambda: answer(tiny, context), 2000))
        show("large", measured(lambda: answer(large, context), 20))
        if arguments.profile:
            profile = cProfile.Profile()
            profile.runcall(lambda: [answer(tiny, context) for _ in range(5000)])
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)


def show(name: str, times: tuple[float, float, float]) -> None:
    print(f"{name}: wall {times[0]:.1f} us, thread CPU {times[1]:.1f} us, process CPU {times[2]:.1f} us")


if __name__ == "__main__":
    main()
