"""ModelInfer's messages -> the core's requests.

Wire checks only: counts, raw or typed but not both, known datatypes, byte lengths. Whether a tensor fits the model is
the core's business. Numbers become views on the message's own bytes. Source: the KServe v2 protocol
(https://github.com/kserve/open-inference-protocol) and Triton's gRPC extension of it.
"""

import math
from typing import Any

from tritonclient.grpc import service_pb2 as pb

from ovserve import tensor_bytes
from ovserve.errors import InvalidInput, WrongContent, WrongDatatype, WrongTensors
from ovserve.frontends.grpc import shared_memory, typed_contents
from ovserve.frontends.limits import check_shape, parse_version
from ovserve.frontends.shared_tensors import tensor_at
from ovserve.request_parameters import with_parameters
from ovserve.requests import InferRequest, Parameter
from ovserve.shared_memory import SharedMemory
from ovserve.tensors import BY_KSERVE, DType, Shape, Tensor

__all__ = ["decode", "parse_version"]

_CLASSIFICATION = "classification"


def decode(message: pb.ModelInferRequest, memory: SharedMemory) -> InferRequest:
    """Read a request; raises an `InvalidInput` that names the model, the tensor, what was expected and what came."""
    model = message.model_name
    version = parse_version(message.model_version, model)
    raw = message.raw_input_contents
    if len(raw) > len(message.inputs):
        raise _too_many(model, len(raw), len(message.inputs))
    contents = iter(raw)
    inputs: dict[str, Tensor] = {}
    for tensor in message.inputs:
        label = f"model '{model}': input '{tensor.name}'"
        if tensor.name in inputs:
            raise WrongTensors(f"{label} occurs twice in the request")
        if shared_memory.refers(tensor):
            inputs[tensor.name] = _from_memory(memory, tensor, label)
        else:
            inputs[tensor.name] = _tensor(tensor, next(contents, None), label, has_raw=bool(raw))
    if next(contents, None) is not None:
        raise _too_many(model, len(raw), sum(not shared_memory.refers(tensor) for tensor in message.inputs))
    request = InferRequest(model, inputs, version, _requested(message), message.id, _classification(message))
    if message.parameters:
        request = with_parameters(request, _parameters(message))
    return request._replace(places=shared_memory.windows(memory, message)) if message.outputs else request


def _too_many(model: str, entries: int, inputs: int) -> WrongTensors:
    return WrongTensors(
        f"model '{model}': raw_input_contents has {entries} entries for {inputs} inputs; expected one each"
    )


def _tensor(tensor: Any, raw: bytes | None, label: str, *, has_raw: bool) -> Tensor:
    dtype, shape = _kind(tensor, label)
    if not has_raw:
        return Tensor(dtype, typed_contents.read(tensor.contents, dtype, math.prod(shape), label).reshape(shape))
    if tensor.HasField("contents"):
        raise WrongContent(f"{label} has typed contents although the request uses raw_input_contents; expected one")
    if raw is None:
        raise WrongContent(f"{label} has no data: raw_input_contents has fewer entries than there are inputs")
    return Tensor(dtype, tensor_bytes.read(raw, dtype, shape, label))


def _from_memory(memory: SharedMemory, tensor: Any, label: str) -> Tensor:
    place = shared_memory.window(memory, tensor, label)
    dtype, shape = _kind(tensor, label)
    if tensor.HasField("contents"):
        raise WrongContent(f"{label} has typed contents although it lies in shared memory; expected one")
    return tensor_at(place, dtype, shape, label)


def _kind(tensor: Any, label: str) -> tuple[DType, Shape]:
    dtype = BY_KSERVE.get(tensor.datatype)
    if dtype is None:
        raise WrongDatatype(f"{label} has datatype '{tensor.datatype}', expected one of {', '.join(BY_KSERVE)}")
    shape = tuple(tensor.shape)
    check_shape(shape, dtype, label)
    return dtype, shape


def _requested(message: pb.ModelInferRequest) -> frozenset[str] | None:
    """Which outputs are asked for; naming one twice asks for it once (Triton)."""
    return frozenset(output.name for output in message.outputs) or None


def _classification(message: pb.ModelInferRequest) -> dict[str, int]:
    """How many classes are asked for, by output."""
    counts: dict[str, int] = {}
    for output in message.outputs:
        if _CLASSIFICATION in output.parameters:
            parameter = output.parameters[_CLASSIFICATION]
            if parameter.WhichOneof("parameter_choice") != "int64_param":
                raise InvalidInput(
                    f"model '{message.model_name}': output '{output.name}': classification expects an int64_param"
                )
            counts[output.name] = parameter.int64_param
    return counts


def _parameters(message: pb.ModelInferRequest) -> dict[str, Parameter]:
    """Read the values, whatever their form; one without any is left out."""
    forms = ((name, each, each.WhichOneof("parameter_choice")) for name, each in message.parameters.items())
    return {name: getattr(each, form) for name, each, form in forms if form is not None}
