"""Asks two models at the same time, and takes the sum from one and the difference from the other."""

import asyncio

import triton_python_backend_utils as pb_utils

OTHERS = (("add_sub", "OUTPUT0"), ("plain_add_sub", "OUTPUT1"))


class TritonPythonModel:
    async def execute(self, requests):
        return await asyncio.gather(*map(self.ask, requests))

    async def ask(self, request):
        calls = [
            pb_utils.InferenceRequest(
                model_name=model, requested_output_names=[output], inputs=request.inputs()
            ).async_exec()
            for model, output in OTHERS
        ]
        answers = await asyncio.gather(*calls)
        for answer in answers:
            if answer.has_error():
                return pb_utils.InferenceResponse(error=answer.error())
        return pb_utils.InferenceResponse(
            [
                pb_utils.get_output_tensor_by_name(answer, name)
                for answer, (_, name) in zip(answers, OTHERS, strict=True)
            ]
        )
