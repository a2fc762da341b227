"""A Python model in the server's process against one in a process of its own: what an execution and a start take.

    python tests/perf/isolation.py [executions]

The model doubles 3 numbers, or 8 MB. Called directly, without a server, in turn. Prints medians, and quartiles in brackets;
and of the worker what its start takes and what is resident of it.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from resident import resident_mb

from ovserve.bench.cells import rate
from ovserve.bench.summary import spread
from ovserve.engine.python_backend.instance import Instance
from ovserve.tensors import DType, Tensor
from python_models import load, load_apart, run, source

SIZES = {"3 numbers": 3, "8 MB": 2 << 20}


def took_us(model: Instance, x: Tensor) -> float:
    begun_s = perf_counter()
    run(model, {"x": x})
    return (perf_counter() - begun_s) * 1e6


def main(executions: int = 200) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inside = load(Path(folder) / "inside", source())
        begun_s = perf_counter()
        apart = load_apart(Path(folder) / "apart", source())
        ready_s = perf_counter() - begun_s
        print(f"a worker is ready after {ready_s:.2f} s, and has {resident_mb(apart.pid or 0):.0f} MB resident")
        for name, count in SIZES.items():
            x = Tensor(DType.FP32, np.ones(count, np.float32))
            found = [(took_us(inside, x), took_us(apart, x)) for _ in range(executions)]
            ours, theirs = (rate(spread(column)) for column in zip(*found, strict=True))
            print(f"{name}: {ours} us in the server's process, {theirs} us in its own")
        apart.close()
        inside.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
