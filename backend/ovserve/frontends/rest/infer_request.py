"""An inference request's JSON and the binary data behind it -> the core's request.

Wire checks only; whether a tensor fits the model is the core's business. Numbers in binary data become views on the
body. Source: the KServe v2 protocol (https://github.com/kserve/open-inference-protocol) and Triton's extension for
binary tensor data.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ovserve import tensor_bytes
from ovserve.errors import InvalidInput, WrongContent, WrongDatatype, WrongTensors
from ovserve.frontends.limits import check_shape
from ovserve.frontends.rest import json_values, shared_memory
from ovserve.frontends.rest.json_values import kind_of
from ovserve.frontends.shared_tensors import tensor_at
from ovserve.request_parameters import with_parameters
from ovserve.requests import InferRequest, Parameter
from ovserve.shared_memory import SharedMemory, Window
from ovserve.tensors import BY_KSERVE, Array, DType, Shape, Tensor, list_text

_KINDS: Mapping[type, str] = {str: "a string", list: "a list", dict: "an object", bool: "true or false"}
_BINARY_OUTPUT = "binary_data_output"

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the form of its outputs."""

    request: InferRequest
    binary: Mapping[str, bool]
    binary_by_default: bool

    def is_binary(self, output: str) -> bool:
        return self.binary.get(output, self.binary_by_default)


def id_of(document: Any, model: str) -> str:
    """Read the request's id; raises `InvalidInput`."""
    if not isinstance(document, dict):
        raise InvalidInput(f"model '{model}': the body is {kind_of(document)}, expected a JSON object")
    return _get(document, "id", str, f"model '{model}': the request", "")


def decode(document: Any, rest: memoryview | None, memory: SharedMemory, addressed: tuple[str, int | None]) -> Asked:
    """Read a request to the model and version `addressed`.

    `rest` is the binary data behind it, None where it has no header that tells of any.

    Raises an `InvalidInput` that names the model, the tensor, what was expected and what came.
    """
    model, version = addressed
    label = f"model '{model}': the request"
    request_id = id_of(document, model)
    parameters = _get(document, "parameters", dict, label, {})
    if "inputs" not in document:
        raise WrongTensors(f"{label} has no 'inputs'")
    inputs = _inputs(_get(document, "inputs", list, label), _Binary(rest), memory, model)
    outputs = list(_outputs(_get(document, "outputs", list, label, []), memory, model))
    names = frozenset(output.name for output in outputs) or None
    classes = {output.name: output.classes for output in outputs if output.classes is not None}
    by_default = parameters.get(_BINARY_OUTPUT) != "" and _get(parameters, _BINARY_OUTPUT, bool, label, default=False)
    places = {output.name: output.place for output in outputs if output.place is not None}
    request = InferRequest(model, inputs, version, names, request_id, classes, places=places)
    forms = {output.name: output.is_binary for output in outputs if output.is_binary is not None}
    return Asked(with_parameters(request, _own(parameters, label)), forms, by_default)


def _get(source: Mapping[str, Any], key: str, kind: type[ValueT], label: str, default: ValueT | None = None) -> ValueT:
    """Read a value of one kind; without a `default` it must be there."""
    if key not in source and default is not None:
        return default
    value = source.get(key)
    if type(value) is not kind:
        got = kind_of(value) if key in source else "nothing"
        raise InvalidInput(f"{label}: '{key}' is {got}, expected {_KINDS[kind]}")
    return value


def _own(parameters: Mapping[str, Any], label: str) -> dict[str, Parameter]:
    """Leave out what is of this protocol; raises `InvalidInput` for a value of no kind that a parameter has."""
    for name, value in parameters.items():
        if not isinstance(value, bool | int | float | str):
            expected = "true or false, a number or a string"
            raise InvalidInput(f"{label}: parameter '{name:.80}' is {kind_of(value)}, expected {expected}")
    return {name: value for name, value in parameters.items() if name != _BINARY_OUTPUT}


def _inputs(tensors: list[Any], binary: "_Binary", memory: SharedMemory, model: str) -> dict[str, Tensor]:
    binary.is_for_one = len(tensors) == 1
    inputs: dict[str, Tensor] = {}
    for index, tensor in enumerate(tensors):
        label = f"model '{model}': inputs[{index}]"
        if not isinstance(tensor, dict):
            raise InvalidInput(f"{label} is {kind_of(tensor)}, expected an object")
        name = _get(tensor, "name", str, label)
        label = f"model '{model}': input '{name}'"
        if name in inputs:
            raise WrongTensors(f"{label} occurs twice in the request")
        inputs[name] = _tensor(tensor, binary, memory, label)
    binary.check_all_is_read(model)
    return inputs


def _tensor(tensor: Mapping[str, Any], binary: "_Binary", memory: SharedMemory, label: str) -> Tensor:
    datatype = _get(tensor, "datatype", str, label)
    dtype = BY_KSERVE.get(datatype)
    if dtype is None:
        raise WrongDatatype(f"{label} has datatype '{datatype}', expected one of {', '.join(BY_KSERVE)}")
    shape = _shape(tensor, dtype, label)
    parameters = _get(tensor, "parameters", dict, label, {})
    if shared_memory.REGION in parameters:
        if "data" in tensor:
            raise WrongContent(f"{label} has 'data' although it lies in shared memory, expected one")
        return tensor_at(shared_memory.window(memory, parameters, label), dtype, shape, label)
    is_binary = "binary_data_size" in parameters
    if "data" not in tensor:
        return Tensor(dtype, binary.read(parameters if is_binary else None, dtype, shape, label))
    if is_binary:
        raise WrongContent(f"{label} has 'data' and a 'binary_data_size' too, expected one")
    return Tensor(dtype, json_values.read(tensor["data"], dtype, shape, label))


def _shape(tensor: Mapping[str, Any], dtype: DType, label: str) -> Shape:
    lengths = _get(tensor, "shape", list, label)
    for length in lengths:
        if type(length) is not int:
            raise InvalidInput(f"{label}: 'shape' holds {kind_of(length)}, expected whole numbers")
    shape = tuple(lengths)
    check_shape(shape, dtype, label)
    return shape


class _Binary:
    """The bytes behind the JSON, which go to the inputs one after the other."""

    def __init__(self, rest: memoryview | None) -> None:
        self._rest = rest
        self._at = 0
        self.is_for_one = False

    def read(self, sized: Mapping[str, Any] | None, dtype: DType, shape: Shape, label: str) -> Array:
        """Read the next input, as long as its parameter in `sized` says, else as its shape and datatype do."""
        if self._rest is None:
            why = "it needs the header Inference-Header-Content-Length" if sized else "there is no 'data'"
            raise WrongContent(f"{label} has no data: {why}")
        remaining = len(self._rest) - self._at
        if sized is None and dtype is DType.BYTES and self.is_for_one and shape == (1,):
            return self._only_string()
        size = _size(sized, dtype, shape, label)
        if size > remaining:
            raise WrongContent(f"{label} expects {size} bytes of binary data, but {remaining} remain")
        raw = self._rest[self._at : self._at + size]
        self._at += size
        return np.require(tensor_bytes.read(raw, dtype, shape, label), requirements="A")

    def _only_string(self) -> Array:
        """Take all there is as one string without its length, as OVMS does: a picture, for instance."""
        element = np.empty(1, np.object_)
        element[0] = bytes((self._rest or memoryview(b""))[self._at :])
        self._at += len(element[0])
        return element

    def check_all_is_read(self, model: str) -> None:
        remaining = 0 if self._rest is None else len(self._rest) - self._at
        if remaining:
            raise WrongContent(f"model '{model}': {remaining} bytes of binary data belong to no input")


def _size(sized: Mapping[str, Any] | None, dtype: DType, shape: Shape, label: str) -> int:
    if sized is not None:
        size = sized["binary_data_size"]
        if type(size) is not int or size < 0:
            raise InvalidInput(f"{label}: 'binary_data_size' is {kind_of(size)}, expected a number of bytes")
        return size
    if dtype is DType.BYTES:
        raise WrongContent(
            f"{label} of datatype BYTES and shape {list_text(shape)} has no data: expected 'data' or 'binary_data_size'"
        )
    return math.prod(shape) * dtype.numpy.itemsize


@dataclass(frozen=True, slots=True)
class _Output:
    """An output asked for; whether as binary data is left to the request by None, and so is whether as classes."""

    name: str
    is_binary: bool | None
    classes: int | None
    place: Window | None


def _outputs(outputs: list[Any], memory: SharedMemory, model: str) -> Iterator[_Output]:
    for index, output in enumerate(outputs):
        label = f"model '{model}': outputs[{index}]"
        if not isinstance(output, dict):
            raise InvalidInput(f"{label} is {kind_of(output)}, expected an object")
        name = _get(output, "name", str, label)
        label = f"model '{model}': output '{name}'"
        parameters = _get(output, "parameters", dict, label, {})
        classes = parameters.get("classification")
        if classes is not None and type(classes) is not int:
            raise InvalidInput(f"{label}: 'classification' is {kind_of(classes)}, expected how many classes")
        is_binary = _get(parameters, "binary_data", bool, label) if "binary_data" in parameters else None
        place = shared_memory.window(memory, parameters, label) if shared_memory.REGION in parameters else None
        if place is not None and classes is not None:
            raise InvalidInput(f"{label} is asked for as classes, which do not go into shared memory")
        yield _Output(name, is_binary, classes, place)


def split(body: memoryview, header_length: int | None, model: str) -> tuple[memoryview, memoryview | None]:
    """Part the JSON from the binary data behind it; raises `InvalidInput`."""
    if header_length is None:
        return body, None
    if header_length > len(body):
        raise InvalidInput(
            f"model '{model}': header Inference-Header-Content-Length is {header_length}, "
            f"but the body has {len(body)} bytes"
        )
    return body[:header_length], body[header_length:]
