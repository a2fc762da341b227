"""Requests and responses -> what a frame's head says of them, and back; their tensors go beside it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from ovserve.ran import Ran
from ovserve.requests import InferRequest, InferResponse, InSequence
from ovserve.tensors import Tensor
from ovserve.workers.letters.values import Json


def write_request(request: InferRequest) -> tuple[Json, list[Tensor]]:
    """Write a request; what is rarely there only where it is."""
    written: dict[str, Any] = {"model": request.model, "inputs": list(request.inputs)}
    for name in ("version", "id", "priority", "timeout_us", "within"):
        if value := getattr(request, name):
            written[name] = value
    for name in ("classification", "parameters"):
        if value := getattr(request, name):
            written[name] = dict(value)
    if request.outputs is not None:
        written["outputs"] = list(request.outputs)
    at = request.sequence
    if at is not None:
        written["sequence"] = (at.id, at.starts, at.ends)
    return written, list(request.inputs.values())


def read_request(written: Json, tensors: Sequence[Tensor]) -> InferRequest:
    at = written.get("sequence")
    return InferRequest(
        written["model"],
        _named(written["inputs"], tensors),
        written.get("version"),
        frozenset(written["outputs"]) if "outputs" in written else None,
        written.get("id", ""),
        written.get("classification", {}),
        written.get("parameters", {}),
        None if at is None else InSequence(at[0], starts=at[1], ends=at[2]),
        written.get("priority", 0),
        written.get("timeout_us", 0),
        tuple(written.get("within", ())),
    )


def write_response(response: InferResponse) -> tuple[Json, list[Tensor]]:
    """Write a response, without the runs of a pipeline's nodes."""
    written: dict[str, Any] = {"model": response.model, "version": response.version, "outputs": list(response.outputs)}
    if response.id:
        written["id"] = response.id
    if response.parameters:
        written["parameters"] = dict(response.parameters)
    ran = response.ran
    if ran is not None:
        written["ran"] = (ran.infer_ns, ran.input_ns, ran.output_ns, ran.executed)
    return written, list(response.outputs.values())


def read_response(written: Json, tensors: Sequence[Tensor]) -> InferResponse:
    outputs, times = _named(written["outputs"], tensors), written.get("ran")
    return InferResponse(
        written["model"],
        written["version"],
        outputs,
        written.get("id", ""),
        None if times is None else Ran(outputs, times[0], times[1], times[2], executed=times[3]),
        written.get("parameters", {}),
    )


def _named(names: Sequence[str], tensors: Sequence[Tensor]) -> Mapping[str, Tensor]:
    return dict(zip(names, tensors, strict=True))
