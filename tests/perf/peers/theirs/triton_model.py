"""The least that a Python model of Triton's needs to infer with OpenVINO, one core to an instance."""

from __future__ import annotations  # the names of Triton's module are not all there before it runs

import json
from pathlib import Path

import openvino as ov
import triton_python_backend_utils as pb_utils

CONFIG = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        path = Path(args["model_repository"]) / args["model_version"] / "model.xml"
        self._request = ov.Core().compile_model(path, "CPU", CONFIG).create_infer_request()
        self._inputs = [tensor["name"] for tensor in config["input"]]
        self._outputs = [tensor["name"] for tensor in config["output"]]

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        arrays = {
            index: pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for index, name in enumerate(self._inputs)
        }
        found = self._request.infer(arrays, share_inputs=True)
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, found[index]) for index, name in enumerate(self._outputs)]
        )
