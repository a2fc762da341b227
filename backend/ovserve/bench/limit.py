"""The limit: OpenVINO in a process of its own, driven as its own benchmark drives it, and nothing else.

A child process: reads a line of JSON with the model, the configurations and the inputs, says in how many requests each
configuration is at its best, then answers every line that names one of these ways with what it measured.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from ovserve.repository.layout import find_files, find_versions
from ovserve.tensors import BY_KSERVE, Array, DType

_WARM_UP = 3
_SEED = 0


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor to feed, by its place among the model's inputs."""

    datatype: str
    shape: tuple[int, ...]


class Limit:
    """The compiled models, one per configuration, and their queues of requests."""

    def __init__(
        self, path: Path, device: str, configs: Mapping[str, Mapping[str, Any]], inputs: Sequence[Input]
    ) -> None:
        core = ov.Core()
        model = _read(core, path)
        self._compiled = {name: core.compile_model(model, device, dict(config)) for name, config in configs.items()}
        chance = np.random.default_rng(_SEED)
        self._tensors = [_tensor(item, chance) for item in inputs]
        self._queues: dict[tuple[str, int], ov.AsyncInferQueue] = {}

    @property
    def optimal(self) -> dict[str, int]:
        """How many requests in flight OpenVINO recommends for each configuration."""
        return {
            name: int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
            for name, compiled in self._compiled.items()
        }

    def measure(self, config: str, in_flight: int, seconds: float) -> dict[str, float]:
        """Keep `in_flight` requests running for `seconds`; all that were started count, and all are waited for."""
        queue = self._queue(config, in_flight)
        requests = 0
        cpu_s, started_s = time.process_time(), time.perf_counter()
        end_s = started_s + seconds
        while time.perf_counter() < end_s:
            queue.start_async()
            requests += 1
        queue.wait_all()
        elapsed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
        return {
            "seconds": elapsed_s,
            "requests": requests,
            "requests_per_s": requests / elapsed_s,
            "cpu_us": cpu_s / requests * 1e6,
        }

    def _queue(self, config: str, in_flight: int) -> ov.AsyncInferQueue:
        """Have `in_flight` requests with their inputs bound, and warm."""
        key = config, in_flight
        if key not in self._queues:
            self._queues[key] = ov.AsyncInferQueue(self._compiled[config], in_flight)
            for request in self._queues[key]:
                for index, tensor in enumerate(self._tensors):
                    request.set_input_tensor(index, tensor)
        queue = self._queues[key]
        for _ in range(in_flight * _WARM_UP):
            queue.start_async()
        queue.wait_all()
        return queue


def _read(core: ov.Core, path: Path) -> ov.Model:
    """Read the version that a server would serve: the highest."""
    places = find_versions(path).places
    files = find_files(places[max(places)])
    return core.read_model(str(files.path), *([str(files.weights)] if files.weights else []))


def _tensor(item: Input, chance: np.random.Generator) -> ov.Tensor:
    dtype = BY_KSERVE[item.datatype]
    values = _values(dtype, item.shape, chance)
    if dtype is DType.BYTES:
        return ov.Tensor(values)
    tensor = ov.Tensor(getattr(ov.Type, dtype.openvino), ov.Shape(item.shape))
    tensor.data.view(dtype.numpy)[...] = values
    return tensor


def _values(dtype: DType, shape: tuple[int, ...], chance: np.random.Generator) -> Array:
    """Make values like those that `ovclient bench` sends: some models take longer for others."""
    if dtype is DType.BYTES:
        return np.full(shape, "word" * 2)
    if dtype.numpy.kind in "biu" and dtype is not DType.BF16:
        return chance.integers(0, 256 if dtype is DType.UINT8 else 2, shape).astype(dtype.numpy)
    floats = chance.random(shape, np.float32)
    return (floats.view(np.uint32) >> 16).astype(np.uint16) if dtype is DType.BF16 else floats.astype(dtype.numpy)


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    inputs = [Input(item["datatype"], tuple(item["shape"])) for item in asked["inputs"]]
    limit = Limit(Path(asked["path"]), asked["target_device"], asked["configs"], inputs)
    print(json.dumps(limit.optimal), flush=True)
    for line in sys.stdin:
        print(json.dumps(limit.measure(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
