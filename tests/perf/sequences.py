"""What a sequence costs: an infer request of its own, or its variables written and read on one that all share.

    python tests/perf/sequences.py [bytes of state] [sequences]

Prints resident memory that the sequences take, the time of a first request and that of a later one, in OpenVINO alone;
each way in a process of its own.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import openvino as ov

import small_models
from ovserve.engine.state import State, Variables

ROUNDS = 3


def resident_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def prepared(compiled: ov.CompiledModel) -> ov.InferRequest:
    request = compiled.create_infer_request()
    request.set_input_tensor(0, ov.Tensor(np.ones(compiled.input(0).shape, np.float32)))
    return request


def run(request: ov.InferRequest) -> None:
    request.start_async()
    request.wait()


def own(compiled: ov.CompiledModel, count: int) -> Callable[[int], None]:
    requests: list[ov.InferRequest] = []

    def step(name: int) -> None:
        if len(requests) < count:
            requests.append(prepared(compiled))
        run(requests[name])

    return step


def shared(compiled: ov.CompiledModel, count: int) -> Callable[[int], None]:
    request = prepared(compiled)
    variables = Variables(request)
    states: list[State | None] = [None] * count

    def step(name: int) -> None:
        state = states[name]
        if state is None:
            variables.reset()
        else:
            variables.write(state)
        run(request)
        states[name] = variables.read()

    return step


def main(size: int, count: int, way: str) -> None:
    model = small_models.running_sum([1, max(1, size // 4)])
    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    run(prepared(compiled))
    before_mb = resident_mb()
    step = {"own": own, "shared": shared}[way](compiled, count)
    begun_s = perf_counter()
    for name in range(count):
        step(name)
    first_s = perf_counter()
    for _ in range(ROUNDS):
        for name in range(count):
            step(name)
    ended_s = perf_counter()
    took = (first_s - begun_s) / count * 1e6, (ended_s - first_s) / count / ROUNDS * 1e6
    print(f"{way:7} {resident_mb() - before_mb:7.1f} MB, first request {took[0]:5.0f} us, later ones {took[1]:4.0f} us")


if __name__ == "__main__":
    arguments = (sys.argv[1:] + ["4", "500"][len(sys.argv) - 1 :])[:2]
    if len(sys.argv) > len(arguments) + 1:
        main(int(arguments[0]), int(arguments[1]), sys.argv[3])
    else:
        for each in ("own", "shared"):
            subprocess.run([sys.executable, __file__, *arguments, each], check=True)
