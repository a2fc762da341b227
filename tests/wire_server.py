"""The server under attack: its models, a client that sends any bytes, and what must hold for every answer."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import openvino as ov
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from openvino import opset13 as ops
from tritonclient.grpc import service_pb2 as pb

import small_models

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
TIMEOUT_S = 60
# What never leaves the server: a C++ or Python source location, a stack trace, a path (of the repository, of Python).
INDISCREET = re.compile(r"\.(?:cpp|hpp|py)\b|Traceback|Exception from|\b0x[0-9a-f]{6,}|" + re.escape(sys.prefix))


def lay_out(root: Path) -> Path:
    """Write a repository with good models, one that is broken and one in which only the lower version is sound."""
    bounded = ov.PartialShape([ov.Dimension(1, 4), 4])
    models = {
        "dyn/1": small_models.add_sub([-1, 4]),
        "fixed/1": small_models.add_one([2, 3], "i32"),
        "scalar/1": small_models.add_one([]),
        "bounded/1": small_models.add_one(bounded),
        "grow/1": small_models.add_one([-1]),
        "sums/1": sums(),
        "product/1": product(),
        "text/1": small_models.pass_through("string", [-1]),
        "grid/1": small_models.pass_through("string", [-1, -1]),
        "texts/1": two_texts(),
        "labels/1": labels(),
        "chosen/1": chosen(),
        "upper/1": small_models.add_one([2]),
        "upper/2": small_models.add_one([2]),
        **{f"pass_{kind}/1": small_models.pass_through(kind, [-1]) for kind in small_models.NUMERIC},
    }
    for place, model in models.items():
        small_models.save(model, root / place)
    (root / "upper/2/model.bin").unlink()
    broken = small_models.save(small_models.add_one([2]), root / "broken/1")
    (broken / "model.xml").write_text("<net><layers>")
    (root / "void").mkdir()
    return root


def two_texts() -> ov.Model:
    a, b = small_models.parameter("a", [-1], "string"), small_models.parameter("b", [-1], "string")
    return ov.Model([small_models.named(a, "a"), small_models.named(b, "b")], [a, b], "texts")


def sums() -> ov.Model:
    """`x` -> `y`: the sum of each column, so no rows give zeros."""
    x = small_models.parameter("x", [-1, -1])
    return ov.Model([small_models.named(ops.reduce_sum(x, ops.constant(np.array([0]))), "y")], [x], "sums")


def eightfold() -> ov.Model:
    """`x` -> `y`: x eight times in a row."""
    x = small_models.parameter("x", [-1])
    return ov.Model([small_models.named(ops.tile(x, ops.constant(np.array([8]))), "y")], [x], "eightfold")


def product() -> ov.Model:
    """`a`, `b` -> `y`: their matrix product."""
    a, b = small_models.parameter("a", [-1, -1]), small_models.parameter("b", [-1, -1])
    matrix = ops.matmul(a, b, transpose_a=False, transpose_b=False)
    return ov.Model([small_models.named(matrix, "y")], [a, b], "product")


def labels() -> ov.Model:
    """`index` -> `label`: the names zero, one, two."""
    index = small_models.parameter("index", [-1], "i64")
    return ov.Model([small_models.named(_names_at(index), "label")], [index], "labels")


def chosen() -> ov.Model:
    """`x` -> `label`: the names at the places where x is above 0; how many is known only when it runs."""
    x = small_models.parameter("x", [-1])
    places = ops.squeeze(ops.non_zero(ops.greater(x, ops.constant(np.float32(0))), "i64"), ops.constant(np.int64(0)))
    return ov.Model([small_models.named(_names_at(places), "label")], [x], "chosen")


def _names_at(index: ov.Node) -> ov.Node:
    names = ov.op.Constant(ov.Tensor(np.array(["zero", "one", "two"])))
    return ops.gather(names, index, ops.constant(np.int64(0)))


def request(model: str, inputs: Mapping[str, np.ndarray], **fields: object) -> pb.ModelInferRequest:
    """A request with raw contents; object arrays of `bytes` travel as BYTES."""
    message = pb.ModelInferRequest(model_name=model, **fields)
    for name, array in inputs.items():
        add_raw(message, name, array)
    return message


def add_raw(message: pb.ModelInferRequest, name: str, array: np.ndarray, datatype: str | None = None) -> None:
    message.inputs.add(name=name, datatype=datatype or datatype_of(array), shape=array.shape)
    message.raw_input_contents.append(raw_strings(array.ravel()) if array.dtype == object else array.tobytes())


def raw_strings(strings: Iterable[bytes]) -> bytes:
    return b"".join(len(text).to_bytes(4, "little") + text for text in strings)


def texts(*strings: bytes) -> np.ndarray:
    array = np.empty(len(strings), object)
    array[:] = strings
    return array


_DATATYPES = {
    np.dtype(getattr(ov.Type, kind).to_dtype()): small_models.KSERVE[kind]
    for kind in small_models.NUMERIC
    if kind != "bf16"
}


def datatype_of(array: np.ndarray) -> str:
    return "BYTES" if array.dtype == object else _DATATYPES[array.dtype]


@dataclass(frozen=True)
class Answer:
    code: grpc.StatusCode
    details: str
    data: bytes

    @property
    def outputs(self) -> dict[str, np.ndarray]:
        """The outputs of a ModelInfer that was answered; strings as object arrays of `bytes`."""
        assert self.code is grpc.StatusCode.OK, (self.code, self.details)
        message = pb.ModelInferResponse.FromString(self.data)
        return {
            output.name: _array(output, content)
            for output, content in zip(message.outputs, message.raw_output_contents, strict=True)
        }


_NUMPY = {name: dtype for dtype, name in _DATATYPES.items()} | {"BF16": np.dtype(np.uint16)}


def _array(output: pb.ModelInferResponse.InferOutputTensor, content: bytes) -> np.ndarray:
    if output.datatype != "BYTES":
        return np.frombuffer(content, _NUMPY[output.datatype]).reshape(tuple(output.shape))
    strings, at = [], 0
    while at < len(content):
        start = at + 4
        at = start + int.from_bytes(content[at:start], "little")
        strings.append(content[start:at])
    return texts(*strings).reshape(tuple(output.shape))


class Wire:
    """A connection that sends bytes as they are; every answer's sentence is checked for what must not leave."""

    def __init__(self, address: str) -> None:
        unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(address, options=[*unlimited, ("grpc.use_local_subchannel_pool", 1)])
        self._unary = {
            method.name: self.channel.unary_unary(f"/{SERVICE.full_name}/{method.name}") for method in SERVICE.methods
        }

    def future(self, rpc: str, message: bytes | Message) -> grpc.Future:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        return self._unary[rpc].future(data, timeout=TIMEOUT_S)

    def call(self, rpc: str, message: bytes | Message) -> Answer:
        return answer(self.future(rpc, message))

    def infer(self, message: bytes | Message) -> Answer:
        return self.call("ModelInfer", message)

    def close(self) -> None:
        self.channel.close()


def answer(call: grpc.Future) -> Answer:
    """Wait for a call's end."""
    code, details = call.code(), call.details() or ""
    assert not INDISCREET.search(details), details
    return Answer(code, details, call.result() if code is grpc.StatusCode.OK else b"")


def assert_probes(wire: Wire, model: str) -> None:
    """What an orchestrator asks."""
    assert pb.ServerLiveResponse.FromString(wire.call("ServerLive", b"").data).live
    assert pb.ServerReadyResponse.FromString(wire.call("ServerReady", b"").data).ready
    assert pb.ModelReadyResponse.FromString(wire.call("ModelReady", pb.ModelReadyRequest(name=model)).data).ready
    health = health_pb2_grpc.HealthStub(wire.channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def assert_answers_right(wire: Wire) -> None:
    """Ask what has a known answer, of a numeric and of a string model."""
    a, b = np.arange(8, dtype=np.float32).reshape(2, 4), np.full((2, 4), 0.5, np.float32)
    outputs = wire.infer(request("dyn", {"a": a, "b": b})).outputs
    assert list(outputs) == ["sum", "difference"]
    assert (outputs["sum"] == a + b).all()
    assert (outputs["difference"] == a - b).all()
    words = texts(b"still", b"\x00\xff", b"")
    assert wire.infer(request("text", {"x": words})).outputs["x"].tolist() == words.tolist()
