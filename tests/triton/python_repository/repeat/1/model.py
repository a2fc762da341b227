"""Answers each number of a list by itself, after a delay in milliseconds, and the last with the final flag."""

import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            self.answer(request)

    def answer(self, request):
        sender = request.get_response_sender()
        numbers, delays = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("IN", "DELAY"))
        for index, (number, delay) in enumerate(zip(numbers, delays, strict=True)):
            time.sleep(delay / 1000)
            outputs = [
                pb_utils.Tensor("OUT", np.array([number], np.int32)),
                pb_utils.Tensor("IDX", np.array([index], np.uint32)),
            ]
            last = index + 1 == numbers.size
            sender.send(
                pb_utils.InferenceResponse(outputs), pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if last else 0
            )
