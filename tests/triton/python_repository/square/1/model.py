"""Answers a number as many times as it says: by a thread, after execute has returned. Less than 0 is an error."""

import threading

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.running = []

    def execute(self, requests):
        for request in requests:
            value = pb_utils.get_input_tensor_by_name(request, "IN").as_numpy()
            thread = threading.Thread(target=self.answer, args=(request.get_response_sender(), value.copy()))
            self.running.append(thread)
            thread.start()

    def answer(self, sender, value):
        if value[0] < 0:
            error = pb_utils.TritonError(f"{value[0]} times cannot be done", pb_utils.TritonError.INVALID_ARG)
            sender.send(pb_utils.InferenceResponse(error=error))
        for _ in range(value[0]):
            sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("OUT", value)]))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        for thread in self.running:
            thread.join()
