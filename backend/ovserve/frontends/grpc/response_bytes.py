"""A ModelInferResponse as the bytes it has on the wire, with one copy of the payload.

The message class would copy it twice: into the message, and out of it. It writes all the rest.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

from tritonclient.grpc import service_pb2 as pb

from ovserve import tensor_bytes
from ovserve.errors import InferenceFailed
from ovserve.frontends.grpc.shared_memory import BYTE_SIZE, OFFSET, REGION
from ovserve.frontends.shared_tensors import put
from ovserve.requests import InferResponse
from ovserve.shared_memory import Window
from ovserve.tensors import Shape, Tensor

Part: TypeAlias = bytes | memoryview

# Tags of one byte each: a field's number, and 2 for that a length and so many bytes follow.
_NAME, _VERSION, _ID = b"\x0a", b"\x12", b"\x1a"
_OUTPUT, _RAW = b"\x2a", b"\x32"
_IN_STREAM = b"\x12"

_FORMS = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
_FINAL = "triton_final_response"
_MOST = (1 << 31) - 1  # bytes that a message of protobuf may have
_SMALL = 1 << 14  # bytes whose copy costs less than a view
_BEGUN = {
    final: pb.ModelInferResponse(parameters={_FINAL: pb.InferParameter(bool_param=final)}).SerializeToString()
    for final in (False, True)
}


def write(response: InferResponse, places: Mapping[str, Window]) -> list[Part]:
    """Write, in parts that follow each other, the outputs in the model's order, all contents raw, the id echoed.

    What has one of the `places` goes there, and leaves its raw content empty (Triton). Raises `InferenceFailed` where
    that is more than a message carries.
    """
    return _parts(response, places)


def write_in_stream(response: InferResponse, places: Mapping[str, Window], *, final: bool) -> list[Part]:
    """Write a ModelStreamInferResponse likewise, marked as the request's last one or not."""
    parts = [*_parts(response, places), _BEGUN[final]]
    return [_IN_STREAM + _varint(sum(map(len, parts))), *parts]


def _parts(response: InferResponse, places: Mapping[str, Window]) -> list[Part]:
    label = f"model '{response.model}'"
    parts: list[Part] = [_names(response.model, str(response.version))]
    if response.id:
        parts.append(_field(_ID, response.id.encode()))
    if response.parameters:
        parts.append(_parameters(response))
    contents: list[Part] = []
    for name, tensor in response.outputs.items():
        if name in places:
            parts.append(_placed(name, tensor, places[name], f"{label}: output '{name}'"))
            contents += (_RAW, b"\0")
        else:
            parts.append(_output(name, tensor.dtype.kserve, tensor.shape))
            data = tensor_bytes.write(tensor) if tensor.data.nbytes <= _SMALL else tensor_bytes.view(tensor)
            contents += (_RAW, _varint(len(data)), data)
    if (size := sum(map(len, contents))) > _MOST:
        raise InferenceFailed(f"{label}: the outputs have {size} bytes, more than the {_MOST} of a message")
    return parts + contents


@lru_cache(256)
def _names(model: str, version: str) -> bytes:
    return _field(_NAME, model.encode()) + _field(_VERSION, version.encode())


@lru_cache(1024)
def _output(name: str, datatype: str, shape: Shape) -> bytes:
    message = pb.ModelInferResponse.InferOutputTensor(name=name, datatype=datatype, shape=shape)
    return _field(_OUTPUT, message.SerializeToString())


def _placed(name: str, tensor: Tensor, place: Window, label: str) -> bytes:
    size = put(tensor, place, label)
    return _placed_output(name, tensor.dtype.kserve, tensor.shape, (place.region.name, place.offset, size))


@lru_cache(1024)
def _placed_output(name: str, datatype: str, shape: Shape, where: tuple[str, int, int]) -> bytes:
    message = pb.ModelInferResponse.InferOutputTensor(name=name, datatype=datatype, shape=shape)
    region, offset, size = where
    message.parameters[REGION].string_param = region
    message.parameters[BYTE_SIZE].int64_param = size
    if offset:
        message.parameters[OFFSET].int64_param = offset
    return _field(_OUTPUT, message.SerializeToString())


def _parameters(response: InferResponse) -> bytes:
    message = pb.ModelInferResponse()
    for name, value in response.parameters.items():
        setattr(message.parameters[name], _FORMS[type(value)], value)
    return bytes(message.SerializeToString())


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    if number <= 0x7F:  # noqa: PLR2004 - one byte holds it
        return number.to_bytes()
    low = []
    while number > 0x7F:  # noqa: PLR2004 - likewise
        low.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*low, number))
