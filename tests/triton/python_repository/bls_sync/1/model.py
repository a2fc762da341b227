"""Hands a request on to the model that it names."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.ask(request) for request in requests]

    def ask(self, request):
        name = pb_utils.get_input_tensor_by_name(request, "MODEL_NAME").as_numpy()[0].decode()
        handed_on = pb_utils.InferenceRequest(
            model_name=name,
            requested_output_names=["OUTPUT0", "OUTPUT1"],
            inputs=[pb_utils.get_input_tensor_by_name(request, name) for name in ("INPUT0", "INPUT1")],
            request_id=request.request_id(),
        )
        answer = handed_on.exec()
        if answer.has_error():
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError("asked in vain: " + answer.error().message(), answer.error().code())
            )
        return pb_utils.InferenceResponse(
            [pb_utils.get_output_tensor_by_name(answer, name) for name in ("OUTPUT0", "OUTPUT1")]
        )
