"""Answers each row with its first number, and how many requests were executed together; 1000 is an error, 2000 raises."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        given = [pb_utils.get_input_tensor_by_name(request, "IN").as_numpy()[:, 0] for request in requests]
        if any((numbers == 2000).any() for numbers in given):
            raise ValueError("it is 2000")
        return [self._answer(numbers, len(requests)) for numbers in given]

    def _answer(self, numbers, together):
        if (numbers == 1000).any():
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("it is 1000"))
        seen = np.stack([numbers, np.full_like(numbers, together)], axis=1)
        return pb_utils.InferenceResponse([pb_utils.Tensor("OUT", seen)])
