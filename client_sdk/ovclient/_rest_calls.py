"""KServe's RPCs as HTTP requests: the path and JSON of each, and its answer as the RPC's message. Pure.

Source: the KServe v2 protocol (https://github.com/kserve/open-inference-protocol) and Triton's extensions.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format
from google.protobuf.message import Message
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as pb

from ovclient import _rest_infer
from ovclient._errors import BadResponse
from ovclient._rest_messages import HttpAnswer, HttpRequest, get, post


@dataclass(frozen=True, slots=True)
class RestCall:
    """How one RPC goes over HTTP; `no` are the statuses that answer a question with no, as `refused` says it."""

    ask: Callable[[Any, float | None], HttpRequest]
    read: Callable[[HttpAnswer], Any]
    no: frozenset[int] = frozenset()
    refused: Message | None = None


def _model_path(name: str, version: str) -> str:
    versioned = f"/versions/{quote(version, safe='')}" if version else ""
    return f"/v2/models/{quote(name, safe='')}{versioned}"


def _changed(request: Any, change: str) -> HttpRequest:
    return post(f"/v2/repository/models/{quote(request.model_name, safe='')}/{change}", _parameters(request))


def _parameters(request: Any) -> Mapping[str, Any]:
    """The parameters of a load or unload; files are base64, as Triton has it."""
    found: dict[str, Any] = {}
    for key, value in request.parameters.items():
        content = getattr(value, value.WhichOneof("parameter_choice"))
        found[key] = base64.b64encode(content).decode() if isinstance(content, bytes) else content
    return {"parameters": found} if found else {}


def _infer(request: Any, timeout_s: float | None) -> HttpRequest:
    path = _model_path(request.model_name, request.model_version)
    return _rest_infer.request(f"{path}/infer", request, timeout_s)


def _message(document: Any, into: Message) -> Message:
    """`document` as a message whose fields have the same names; raises `BadResponse`."""
    if not isinstance(document, dict):
        raise BadResponse(f"the answer is no {into.DESCRIPTOR.name}: it is no object")
    try:
        return json_format.ParseDict(document, into, ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
        raise BadResponse(f"the answer is no {into.DESCRIPTOR.name}: {error}") from error


def _index(answer: HttpAnswer) -> Message:
    rows = answer.document()
    if not isinstance(rows, list):
        raise BadResponse("the answer is no RepositoryIndexResponse: it is no list")
    return _message({"models": rows}, pb.RepositoryIndexResponse())


def _plain(path: Callable[[Any], str], kind: type[Message]) -> RestCall:
    return RestCall(lambda request, _: get(path(request)), lambda answer: _message(answer.document(), kind()))


def _probe(path: Callable[[Any], str], yes: Message, refused: Message, *no: int) -> RestCall:
    return RestCall(lambda request, _: get(path(request)), lambda _: yes, frozenset(no), refused)


def _named(request: Any) -> str:
    return _model_path(request.name, request.version)


CALLS: Mapping[str, RestCall] = {
    "ServerLive": _probe(
        lambda _: "/v2/health/live", pb.ServerLiveResponse(live=True), pb.ServerLiveResponse(), 400, 503
    ),
    "ServerReady": _probe(
        lambda _: "/v2/health/ready", pb.ServerReadyResponse(ready=True), pb.ServerReadyResponse(), 400, 503
    ),
    "ModelReady": _probe(
        lambda request: f"{_named(request)}/ready",
        pb.ModelReadyResponse(ready=True),
        pb.ModelReadyResponse(),
        400,  # Triton, for a model that is unknown or not ready
        404,
        503,
    ),
    "ServerMetadata": _plain(lambda _: "/v2", pb.ServerMetadataResponse),
    "ModelMetadata": _plain(_named, pb.ModelMetadataResponse),
    "ModelConfig": RestCall(
        lambda request, _: get(f"{_named(request)}/config"),
        lambda answer: pb.ModelConfigResponse(config=_message(answer.document(), model_config_pb2.ModelConfig())),
    ),
    "RepositoryIndex": RestCall(
        lambda request, _: post("/v2/repository/index", {"ready": request.ready}),
        _index,
    ),
    "RepositoryModelLoad": RestCall(lambda request, _: _changed(request, "load"), lambda _: None),
    "RepositoryModelUnload": RestCall(lambda request, _: _changed(request, "unload"), lambda _: None),
    "ModelInfer": RestCall(_infer, _rest_infer.read),
}
