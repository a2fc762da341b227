"""Inference over HTTP: tensors go as binary data behind the JSON, Triton's extension, so that numbers stay exact.

A server that answers an output in JSON all the same, as OVMS where none was asked for, is understood too. Pure.
"""

import json
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovclient import _rest_json
from ovclient._encode import set_parameters
from ovclient._errors import BadResponse, InvalidRequest
from ovclient._rest_messages import HttpAnswer, HttpRequest

HEADER = "inference-header-content-length"
_ALIGNMENT = 8  # the widest number's: numpy reads unaligned ones slowly, and other libraries not at all
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
    document: dict[str, Any] = {"parameters": {**parameters, "binary_data_output": True}, "inputs": []}
    if message.id:
        document["id"] = message.id
    for tensor, raw in zip(message.inputs, raws, strict=True):
        size = {"binary_data_size": len(raw)}
        one = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype, "parameters": size}
        document["inputs"].append(one)
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
    raws: list[memoryview] = []
    at = 0
    for output in document["outputs"]:
        name, datatype = output["name"], output["datatype"]
        message.outputs.add(name=name, datatype=datatype, shape=output["shape"])
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            raws.append(memoryview(_rest_json.raw(name, datatype, output.get("data"))))
            continue
        if type(size) is not int or not 0 <= size <= len(rest) - at:
            raise BadResponse(f"output '{name}': {size} bytes of binary data were told of, {len(rest) - at} came")
        raws.append(_aligned(rest[at : at + size], at))
        at += size
    if at != len(rest):
        raise BadResponse(f"{len(rest) - at} bytes of binary data belong to no output")
    return InferAnswer(message, raws)


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)


def _aligned(raw: memoryview, at: int) -> memoryview:
    return raw if at % _ALIGNMENT == 0 else memoryview(bytes(raw))
