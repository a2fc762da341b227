"""A custom model of the kserve Python server: `kserve_model.py MODEL_FILE threads|inline HTTP_PORT` and kserve's flags.

Its loop calls a plain `predict` itself, one request at a time (`inline`), and awaits one that is a coroutine, which may
hand the work to threads as kserve's documentation does (`threads`).
"""

import asyncio
import sys
from pathlib import Path

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.model_server import args as flags
from kserve.utils.numpy_codec import from_np_dtype
from kserve.utils.utils import generate_uuid
from slots import THROUGHPUT, Slots


class Inline(Model):
    def __init__(self, name: str, slots: Slots) -> None:
        super().__init__(name)
        self.slots = slots
        self.ready = True

    async def get_input_types(self) -> list[dict[str, object]]:
        return [
            {"name": name, "datatype": from_np_dtype(kind.to_dtype()), "shape": shape}
            for name, kind, shape in self.slots.inputs
        ]

    def predict(self, payload: InferRequest, headers: dict[str, str] | None = None) -> InferResponse:
        sent = {tensor.name: tensor for tensor in payload.inputs}
        found = self.slots.infer([sent[name].as_numpy() for name, _, _ in self.slots.inputs])
        outputs = []
        for name, array in zip(self.slots.outputs, found, strict=True):
            output = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
            output.set_data_from_numpy(array)
            outputs.append(output)
        return InferResponse(payload.id or generate_uuid(), self.name, outputs)


class Threads(Inline):
    async def predict(self, payload: InferRequest, headers: dict[str, str] | None = None) -> InferResponse:
        return await asyncio.get_running_loop().run_in_executor(None, super().predict, payload)


if __name__ == "__main__":
    kind = {"inline": Inline, "threads": Threads}[sys.argv[2]]
    model = kind(flags.model_name, Slots(Path(sys.argv[1]), THROUGHPUT))
    ModelServer(enable_latency_logging=False).start([model])
