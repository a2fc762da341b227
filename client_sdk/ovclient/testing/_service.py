import threading
from dataclasses import replace
from typing import Any

import grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from ovclient._decode import decode_all
from ovclient._encode import encode
from ovclient._errors import OVClientError
from ovclient.testing._model import FakeModel, Received

_UNLOADED = "unloaded"


class FakeService(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # generated, without types
    """The RPCs a client needs, answered from `models` unless `told` says otherwise; `received` keeps every call."""

    def __init__(self) -> None:
        self.models: dict[str, FakeModel] = {}
        self.received: list[Received] = []
        self.told: dict[str, Any] = {}
        self._lock = threading.Lock()

    def ServerLive(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._told("ServerLive", request, context) or pb.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._told("ServerReady", request, context) or pb.ServerReadyResponse(ready=True)

    def ServerMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = pb.ServerMetadataResponse(name="FakeServer", version="1", extensions=["model_repository"])
        return self._told("ServerMetadata", request, context) or answer

    def ModelReady(self, request: Any, context: grpc.ServicerContext) -> Any:
        model = self.models.get(request.name)
        answer = pb.ModelReadyResponse(ready=model is not None and model.state == "READY")
        return self._told("ModelReady", request, context) or answer

    def ModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        told = self._told("ModelMetadata", request, context)
        return told or self._model(request.name, request.version, context).metadata(request.name)

    def ModelConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        told = self._told("ModelConfig", request, context)
        return told or self._model(request.name, request.version, context).config(request.name)

    def RepositoryIndex(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = pb.RepositoryIndexResponse()
        for name, model in list(self.models.items()):  # a test may add models meanwhile
            if model.state == "READY" or not request.ready:
                version = model.version if model.state else ""
                answer.models.add(name=name, version=version, state=model.state, reason=model.reason)
        return self._told("RepositoryIndex", request, context) or answer

    def RepositoryModelLoad(self, request: Any, context: grpc.ServicerContext) -> Any:
        told = self._told("RepositoryModelLoad", request, context)
        return told or self._load(request.model_name, context)

    def RepositoryModelUnload(self, request: Any, context: grpc.ServicerContext) -> Any:
        told = self._told("RepositoryModelUnload", request, context)
        model = self.models.get(request.model_name)
        if told is None and model is not None:
            self.models[request.model_name] = replace(model, state="UNAVAILABLE", reason=_UNLOADED)
        return told or pb.RepositoryModelUnloadResponse()

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:
        told = self._told("ModelInfer", request, context)
        return told or self._infer(request, context)

    def _load(self, name: str, context: grpc.ServicerContext) -> Any:
        model = self.models.get(name)
        if model is None:
            sentence = f"failed to load '{name}', failed to poll from model repository"
            context.abort(grpc.StatusCode.INTERNAL, sentence)
        if model.state == "UNAVAILABLE" and model.reason not in ("", _UNLOADED):
            cause = f"version {model.version} is at UNAVAILABLE state: {model.reason};"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"load failed for model '{name}': {cause}")
        self.models[name] = replace(model, state="READY", reason="")
        return pb.RepositoryModelLoadResponse()

    def _infer(self, request: Any, context: grpc.ServicerContext) -> Any:
        model = self._model(request.model_name, request.model_version, context)
        answer = pb.ModelInferResponse(model_name=request.model_name, model_version=model.version, id=request.id)
        try:
            inputs = decode_all(request.inputs, request.raw_input_contents)
            outputs = {name: encode(name, value) for name, value in model.function(inputs).items()}
        except OVClientError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Exception as error:  # noqa: BLE001 - a model's function may raise anything, as a real model may
            context.abort(grpc.StatusCode.INTERNAL, f"model '{request.model_name}': {type(error).__name__}: {error}")
        for name in [wanted.name for wanted in request.outputs] or outputs:
            if name not in outputs:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"model '{request.model_name}' has no output '{name}'")
            datatype, shape, raw = outputs[name]
            answer.outputs.add(name=name, datatype=datatype, shape=shape)
            answer.raw_output_contents.append(raw)
        return answer

    def _model(self, name: str, version: str, context: grpc.ServicerContext) -> FakeModel:
        model = self.models.get(name)
        if model is None or version not in ("", model.version):
            asked = f" version {version}" if version else ""
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{name}'{asked} is not found")
        if model.state == "" or model.reason == _UNLOADED:
            sentence = f"Request for unknown model: '{name}' has no available versions"
            context.abort(grpc.StatusCode.NOT_FOUND, sentence)
        if model.state != "READY":
            context.abort(grpc.StatusCode.UNAVAILABLE, f"model '{name}' is {model.state}")
        return model

    def _told(self, rpc: str, request: Any, context: grpc.ServicerContext) -> Any:
        """Keep a call; the answer told beforehand, or None."""
        with self._lock:
            self.received.append(Received(rpc, request, context.time_remaining()))
        told = self.told.get(rpc)
        if isinstance(told, tuple):
            context.abort(*told)
        return told
