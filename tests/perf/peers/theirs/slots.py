"""OpenVINO for a peer that infers in threads; runs in that peer's environment."""

import os
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import openvino as ov

THROUGHPUT = {"PERFORMANCE_HINT": "THROUGHPUT"}
ONE_CORE = {**THROUGHPUT, "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}


class Slots:
    """A compiled model, and as many requests as OpenVINO recommends; more wait for a free one."""

    def __init__(self, path: Path, config: dict[str, object]) -> None:
        compiled = ov.Core().compile_model(os.fspath(path), "CPU", config)
        self.inputs = [(port.any_name, port.element_type, list(port.shape)) for port in compiled.inputs]
        self.outputs = [port.any_name for port in compiled.outputs]
        self._free: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")):
            self._free.put(compiled.create_infer_request())

    def infer(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Arrays in the order of the inputs -> copies of the outputs, in their order."""
        request = self._free.get()
        try:
            found = request.infer(dict(enumerate(arrays)), share_inputs=True)
            return [found[index] for index in range(len(self.outputs))]
        finally:
            self._free.put(request)
