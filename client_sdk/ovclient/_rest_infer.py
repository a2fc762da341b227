"""Inference over HTTP: tensors go as binary data behind the JSON, Triton's extension, so that numbers stay exact.

A server that answers an output in JSON all the same, as OVMS where none was asked for, is understood too. Pure.
"""

import json
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovclient._encode import set_parameters
from ovclient._errors import BadResponse, InvalidRequest
from ovclient._rest_messages import HttpAnswer, HttpRequest
from ovclient._rest_tensors import read_tensors, rows

HEADER = "inference-header-content-length"
_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """What `ModelInferResponse` tells, but contents are views of what was received."""

    message: Any
    raw_output_contents: list[memoryview]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.message, name)


def request(path: str, message: Any, timeout_s: float | None) -> HttpRequest:
    """A `ModelInferRequest` with raw contents; the server is told how long the answer is of use."""
    raws = tuple(message.raw_input_contents)
    given = message.parameters.items()
    parameters = {key: getattr(value, value.WhichOneof("parameter_choice")) for key, value in given}
    if timeout_s is not None and 1 <= timeout_s * 1e6 <= _INT32_MAX:  # OVMS reads no larger numbers
        parameters.setdefault("timeout", int(timeout_s * 1e6))
    document: dict[str, Any] = {"parameters": {**parameters, "binary_data_output": True}}
    if message.id:
        document["id"] = message.id
    document["inputs"] = rows(message.inputs, raws)
    if message.outputs:
        binary = {"binary_data": True}
        document["outputs"] = [{"name": output.name, "parameters": binary} for output in message.outputs]
    text = json.dumps(document).encode()
    headers = {"content-type": "application/octet-stream", HEADER: str(len(text))}
    return HttpRequest("POST", path, (text, *raws), headers)


def read(answer: HttpAnswer) -> InferAnswer:
    """Raises `BadResponse`."""
    document = answer.document()
    try:
        return _read(document, answer.rest or memoryview(b""))
    except (AttributeError, KeyError, TypeError, ValueError, InvalidRequest) as error:
        raise BadResponse(f"the answer is no inference response: {error!r}") from error


def _read(document: Any, rest: memoryview) -> InferAnswer:
    message = pb.ModelInferResponse(
        model_name=document["model_name"],
        model_version=document.get("model_version") or "",
        id=document.get("id") or "",
    )
    told = document.get("parameters") or {}
    set_parameters(message.parameters, {key: value for key, value in told.items() if _is_plain(value)})
    return InferAnswer(message, list(read_tensors(message.outputs, document["outputs"], rest, "output")))


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)
