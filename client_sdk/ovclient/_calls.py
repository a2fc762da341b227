"""The RPCs as values: name, request, and how to read the answer. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from tritonclient.grpc import service_pb2 as pb

from ovclient._decode import decode_all
from ovclient._encode import Parameter, encode, set_parameters
from ovclient._errors import BadResponse, InvalidRequest
from ovclient._load import load_request
from ovclient._types import InferResult, ModelIndex, ModelMetadata, ServerMetadata, TensorMetadata

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One RPC to make; `read` turns the answer into what the caller gets."""

    rpc: str
    request: Any
    read: Callable[[Any], T]


def live() -> Call[bool]:
    return Call("ServerLive", pb.ServerLiveRequest(), lambda answer: bool(answer.live))


def ready(model: str | None, version: str) -> Call[bool]:
    if model is None:
        return Call("ServerReady", pb.ServerReadyRequest(), lambda answer: bool(answer.ready))
    return Call("ModelReady", pb.ModelReadyRequest(name=model, version=version), lambda answer: bool(answer.ready))


def server_metadata() -> Call[ServerMetadata]:
    def read(answer: Any) -> ServerMetadata:
        return ServerMetadata(answer.name, answer.version, tuple(answer.extensions))

    return Call("ServerMetadata", pb.ServerMetadataRequest(), read)


def metadata(model: str, version: str) -> Call[ModelMetadata]:
    def tensors(messages: Any) -> tuple[TensorMetadata, ...]:
        return tuple(TensorMetadata(t.name, t.datatype, tuple(t.shape)) for t in messages)

    def read(answer: Any) -> ModelMetadata:
        inputs, outputs = tensors(answer.inputs), tensors(answer.outputs)
        return ModelMetadata(answer.name, tuple(answer.versions), answer.platform, inputs, outputs)

    return Call("ModelMetadata", pb.ModelMetadataRequest(name=model, version=version), read)


def config(model: str) -> Call[Any]:
    return Call("ModelConfig", pb.ModelConfigRequest(name=model), lambda answer: answer.config)


def repository_index(*, ready: bool) -> Call[tuple[ModelIndex, ...]]:
    def read(answer: Any) -> tuple[ModelIndex, ...]:
        return tuple(ModelIndex(m.name, m.version, m.state, m.reason) for m in answer.models)

    return Call("RepositoryIndex", pb.RepositoryIndexRequest(ready=ready), read)


def load_model(name: str, config: str | Mapping[str, Any] | None, files: Mapping[str, bytes] | None) -> Call[None]:
    return Call("RepositoryModelLoad", load_request(name, config, files), lambda _: None)


def unload_model(name: str, *, unload_dependents: bool) -> Call[None]:
    request = pb.RepositoryModelUnloadRequest(model_name=name)
    request.parameters["unload_dependents"].bool_param = unload_dependents
    return Call("RepositoryModelUnload", request, lambda _: None)


def infer(
    model: str,
    inputs: Mapping[str, ArrayLike],
    *,
    version: str,
    outputs: Sequence[str] | None,
    request_id: str,
    parameters: Mapping[str, Parameter] | None,
) -> Call[InferResult]:
    request = pb.ModelInferRequest(model_name=model, model_version=version, id=request_id)
    for name, value in inputs.items():
        datatype, shape, raw = encode(name, value)
        request.inputs.add(name=name, datatype=datatype, shape=shape)
        request.raw_input_contents.append(raw)
    if isinstance(outputs, str):
        raise InvalidRequest(f"outputs is a list of names, got the text '{outputs}'")
    for name in outputs or ():
        request.outputs.add(name=name)
    set_parameters(request.parameters, parameters or {})

    def read(answer: Any) -> InferResult:
        arrays = decode_all(answer.outputs, answer.raw_output_contents)
        missing = [name for name in outputs or () if name not in arrays]
        if missing:
            raise BadResponse(f"model '{model}' was asked for output '{missing[0]}' but answered {list(arrays)}")
        return InferResult(arrays, answer.model_name, answer.model_version, answer.id, _parameters(answer))

    return Call("ModelInfer", request, read)


def only_input(model: ModelMetadata, value: Any) -> str:
    """The name of a model's one input, for a caller who sent a bare array."""
    if len(model.inputs) != 1:
        names = [tensor.name for tensor in model.inputs]
        got = f"a bare {type(value).__name__}" if not isinstance(value, np.ndarray) else "a bare array"
        raise InvalidRequest(f"model '{model.name}' has {len(names)} inputs {names}: send a dict of them, not {got}")
    return model.inputs[0].name


def _parameters(answer: Any) -> dict[str, Parameter]:
    chosen = ((key, value, value.WhichOneof("parameter_choice")) for key, value in answer.parameters.items())
    return {key: getattr(value, field) for key, value, field in chosen if field}
