"""A custom runtime of MLServer's: in worker processes of a core each, or in threads of the server's own process."""

import asyncio
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri
from slots import ONE_CORE, THROUGHPUT, Slots


class _Runtime(MLModel):
    config: dict[str, object]

    async def load(self) -> bool:
        self._slots = Slots(Path(await get_model_uri(self._settings)), self.config)
        return True

    def _answer(self, payload: InferenceRequest) -> InferenceResponse:
        sent = {tensor.name: tensor for tensor in payload.inputs}
        found = self._slots.infer([NumpyCodec.decode_input(sent[name]) for name, _, _ in self._slots.inputs])
        outputs = [
            NumpyCodec.encode_output(name, array) for name, array in zip(self._slots.outputs, found, strict=True)
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)


class Worker(_Runtime):
    config = ONE_CORE

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return self._answer(payload)


class Threads(_Runtime):
    config = THROUGHPUT

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return await asyncio.to_thread(self._answer, payload)
