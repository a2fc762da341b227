"""HTTP requests as KServe's RPCs and the answers as HTTP's: `ovclient._rest_calls` from the other side. Pure."""

import base64
import json
import re
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from tritonclient.grpc import service_pb2 as pb

from ovclient._encode import set_parameters
from ovclient._rest_messages import HttpAnswer
from ovclient._rest_tensors import read_tensors, rows

_MODEL = r"/v2/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?"
_CHANGED = "/v2/repository/models/(?P<model_name>[^/]+)"
_ROUTES = [
    ("GET", "/v2/health/live", "ServerLive"),
    ("GET", "/v2/health/ready", "ServerReady"),
    ("GET", "/v2", "ServerMetadata"),
    ("GET", f"{_MODEL}/ready", "ModelReady"),
    ("GET", f"{_MODEL}/config", "ModelConfig"),
    ("GET", _MODEL, "ModelMetadata"),
    ("POST", f"{_MODEL}/infer", "ModelInfer"),
    ("POST", "/v2/repository/index", "RepositoryIndex"),
    ("POST", f"{_CHANGED}/load", "RepositoryModelLoad"),
    ("POST", f"{_CHANGED}/unload", "RepositoryModelUnload"),
]
_Code = grpc.StatusCode
_STATUS = {
    _Code.INVALID_ARGUMENT: 400,
    _Code.OUT_OF_RANGE: 400,
    _Code.UNAUTHENTICATED: 401,
    _Code.PERMISSION_DENIED: 403,
    _Code.NOT_FOUND: 404,
    _Code.ALREADY_EXISTS: 409,
    _Code.FAILED_PRECONDITION: 412,
    _Code.RESOURCE_EXHAUSTED: 429,
    _Code.UNIMPLEMENTED: 501,
    _Code.UNAVAILABLE: 503,
    _Code.DEADLINE_EXCEEDED: 504,
}
_STATUS_OF_LOADS = {**_STATUS, _Code.INTERNAL: 400, _Code.INVALID_ARGUMENT: 404}  # as Triton has it


class Refused(Exception):
    """An answer that is a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class RestContext:
    """What the service asks of gRPC's context, for a call that came over HTTP."""

    def __init__(self, rpc: str, request: Any) -> None:
        self._table = _STATUS_OF_LOADS if rpc == "RepositoryModelLoad" else _STATUS
        self._request = request

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise Refused(self._table.get(code, 500), details)

    def time_remaining(self) -> float | None:
        """Only inference tells it."""
        if not isinstance(self._request, pb.ModelInferRequest) or "timeout" not in self._request.parameters:
            return None
        return float(self._request.parameters["timeout"].int64_param / 1e6)


def asked(method: str, path: str, text: bytes, rest: memoryview) -> tuple[str, Any]:
    """The RPC that a request means and its message; raises `Refused`, or what Python says of another JSON."""
    for expected, pattern, rpc in _ROUTES:
        if method == expected and (found := re.fullmatch(pattern, path.rstrip("/"))):
            named = {key: unquote(value) for key, value in found.groupdict().items() if value}
            if rpc == "ModelInfer":
                return rpc, _infer(named, json.loads(text), rest)
            return rpc, _plain(rpc, named, json.loads(text or b"{}"))
    raise Refused(404, f"{method} {path} is nothing that this server knows")


def answer_of(rpc: str, message: Any) -> HttpAnswer:
    if rpc in {"ServerLive", "ServerReady", "ModelReady"}:
        return HttpAnswer(200 if getattr(message, "live" if rpc == "ServerLive" else "ready") else 400, b"")
    if rpc == "ModelInfer":
        return _inferred(message)
    document = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if rpc == "RepositoryIndex":
        document = document.get("models", [])
    elif rpc == "ModelConfig":
        document = document["config"]
    return HttpAnswer(200, json.dumps(document).encode())


def _plain(rpc: str, named: dict[str, str], document: Any) -> Any:
    message = getattr(pb, f"{rpc}Request")(**named)
    if rpc == "RepositoryIndex":
        message.ready = bool(document.get("ready"))
    for key, value in document.get("parameters", {}).items():
        if key.startswith("file:"):
            message.parameters[key].bytes_param = base64.b64decode(value)
        elif isinstance(value, bool):
            message.parameters[key].bool_param = value
        else:
            message.parameters[key].string_param = value
    return message


def _infer(named: dict[str, str], document: Any, rest: memoryview) -> Any:
    message = pb.ModelInferRequest(model_name=named["name"], model_version=named.get("version", ""))
    message.id = document.get("id", "")
    set_parameters(message.parameters, document.get("parameters", {}))
    message.raw_input_contents.extend(map(bytes, read_tensors(message.inputs, document["inputs"], rest, "input")))
    for output in document.get("outputs", []):
        message.outputs.add(name=output["name"])
    return message


def _inferred(message: Any) -> HttpAnswer:
    raws = list(message.raw_output_contents)
    document = {
        "model_name": message.model_name,
        "model_version": message.model_version,
        "id": message.id,
        "outputs": rows(message.outputs, raws),
    }
    return HttpAnswer(200, json.dumps(document).encode(), memoryview(b"".join(raws)))
