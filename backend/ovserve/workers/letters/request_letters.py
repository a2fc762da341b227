"""Requests and responses -> what a frame's head says of them, and back. Pure."""

from collections.abc import Mapping, Sequence

from ovserve.ran import Ran
from ovserve.requests import InferRequest, InferResponse
from ovserve.tensors import Tensor
from ovserve.workers.letters import values
from ovserve.workers.letters.values import Json


def write_request(request: InferRequest) -> tuple[Json, list[Tensor]]:
    """Write a request, and list its tensors."""
    names, tensors = tuple(request.inputs), list(request.inputs.values())
    return [list(names), values.write(request._replace(inputs={}))], tensors


def read_request(written: Json, tensors: Sequence[Tensor]) -> InferRequest:
    names, request = written
    read: InferRequest = values.read(request)
    return read._replace(inputs=_named(names, tensors))


def write_response(response: InferResponse) -> tuple[Json, list[Tensor]]:
    """Write a response, and list its tensors."""
    names, tensors = tuple(response.outputs), list(response.outputs.values())
    ran = None if response.ran is None else response.ran._replace(outputs={}, nodes=())
    return [list(names), values.write(response._replace(outputs={}, ran=ran))], tensors


def read_response(written: Json, tensors: Sequence[Tensor]) -> InferResponse:
    names, response = written
    outputs = _named(names, tensors)
    read: InferResponse = values.read(response)
    ran: Ran | None = None if read.ran is None else read.ran._replace(outputs=outputs)
    return read._replace(outputs=outputs, ran=ran)


def _named(names: Sequence[str], tensors: Sequence[Tensor]) -> Mapping[str, Tensor]:
    return dict(zip(names, tensors, strict=True))
