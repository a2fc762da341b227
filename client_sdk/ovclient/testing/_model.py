import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as pb

from ovclient._pipeline_config import PARAMETER
from ovclient.pipeline import Pipeline

Function = Callable[[dict[str, np.ndarray]], Mapping[str, ArrayLike]]
Signature = Mapping[str, tuple[str, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class FakeModel:
    """A function from arrays by input name to arrays by output name, and what the server says about it."""

    function: Function
    inputs: Signature = field(default_factory=dict)
    outputs: Signature = field(default_factory=dict)
    version: str = "1"
    platform: str = "fake"
    state: str = "READY"
    reason: str = ""
    pipeline: Pipeline | None = None

    def metadata(self, name: str) -> Any:
        return pb.ModelMetadataResponse(
            name=name,
            versions=[self.version],
            platform=self.platform,
            inputs=_tensors(self.inputs),
            outputs=_tensors(self.outputs),
        )

    def config(self, name: str) -> Any:
        config = model_config_pb2.ModelConfig(name=name, platform=self.platform)
        if self.pipeline is not None:
            config.parameters[PARAMETER].string_value = json.dumps(self.pipeline.document())
        return pb.ModelConfigResponse(config=config)


@dataclass(frozen=True, slots=True)
class Received:
    """One call the server got: the RPC's name, its message, and the seconds the caller would wait (None: for ever)."""

    rpc: str
    request: Any
    time_remaining_s: float | None


def _tensors(signature: Signature) -> list[Any]:
    return [
        pb.ModelMetadataResponse.TensorMetadata(name=name, datatype=datatype, shape=shape)
        for name, (datatype, shape) in signature.items()
    ]
