"""ModelInferRequests that are good for the models of wire_server.py, and what damages one in its fields."""

from collections.abc import Callable

import numpy as np
from tritonclient.grpc import service_pb2 as pb

from mutated_bytes import Chance, pick
from wire_server import request, texts

Message = pb.ModelInferRequest


def seeds() -> list[Message]:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    typed = pb.ModelInferRequest(model_name="dyn", id="typed")
    for name in ("a", "b"):
        typed.inputs.add(name=name, datatype="FP32", shape=[1, 4]).contents.fp32_contents.extend([1, 2, 3, 4])
    typed_text = pb.ModelInferRequest(model_name="text")
    typed_text.inputs.add(name="x", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"one", b"\xff"])
    asked = request("dyn", {"a": x, "b": x}, id="asked", model_version="1")
    asked.outputs.add(name="sum")
    return [
        request("dyn", {"a": x, "b": x + 1}, id="two"),
        asked,
        typed,
        request("text", {"x": texts(b"hello", b"", b"\0\xff")}),
        typed_text,
        request("texts", {"a": texts(b"left"), "b": texts(b"right", b"more")}),
        request("grid", {"x": texts(b"a", b"b", b"c", b"d").reshape(2, 2)}),
        request("labels", {"index": np.array([0, 2, 1])}),
        request("chosen", {"x": np.float32([1, -1, 1])}),
        request("pass_u8", {"x": np.arange(20, dtype=np.uint8)}),
        request("pass_boolean", {"x": np.array([True, False])}),
        request("pass_f64", {"x": np.array([1.5, np.nan])}),
        request("scalar", {"x": np.array(1, np.float32)}),
        request("fixed", {"x": np.ones((2, 3), np.int32)}),
    ]


# Mutations of the fields

NUMBERS = [0, 1, 2, 3, 4, 5, 8, -1, 255, 2**16, 2**31, 2**32, 2**62 + 2, 2**63 - 1, -(2**63)]
NAMES = ["", "a", "b", "x", "text", "sum", "\0", "\u00e4", "n" * 10_000]
DATATYPES = ["", "FP32", "FP64", "FP16", "BF16", "INT8", "UINT8", "INT64", "BOOL", "BYTES", "fp32", "FP8"]
CONTENTS = {
    "bool_contents": [True],
    "int_contents": [-1],
    "int64_contents": [2**63 - 1],
    "uint_contents": [2**32 - 1],
    "uint64_contents": [2**64 - 1],
    "fp32_contents": [float("nan")],
    "fp64_contents": [1e300],
    "bytes_contents": [b"\xff\0"],
}


def change_model(message: Message, chance: Chance) -> None:
    message.model_name = pick(chance, ["dyn", "text", "texts", "labels", "scalar", "broken", "nope", *NAMES])


def change_version(message: Message, chance: Chance) -> None:
    message.model_version = pick(chance, ["1", "2", "0", "-1", "01", "x", "9" * 30])


def change_name(message: Message, chance: Chance) -> None:
    for tensor in message.inputs[:1]:
        tensor.name = pick(chance, NAMES)


def change_datatype(message: Message, chance: Chance) -> None:
    for tensor in message.inputs[-1:]:
        tensor.datatype = pick(chance, DATATYPES)


def change_dimension(message: Message, chance: Chance) -> None:
    for tensor in message.inputs:
        if tensor.shape:
            tensor.shape[int(chance.integers(len(tensor.shape)))] = pick(chance, NUMBERS)


def change_rank(message: Message, chance: Chance) -> None:
    for tensor in message.inputs[:1]:
        tensor.shape.extend([pick(chance, [0, 1, 1, 1, 2])] * int(chance.integers(1, 40)))


def change_raw(message: Message, chance: Chance) -> None:
    for index, raw in enumerate(message.raw_input_contents):
        size = int(chance.integers(0, 2 * len(raw) + 2))
        message.raw_input_contents[index] = pick(chance, [chance.bytes(len(raw)), chance.bytes(size), raw[:size], b""])


def drop_raw(message: Message, chance: Chance) -> None:
    del message.raw_input_contents[int(chance.integers(0, 2)) :]


def add_raw(message: Message, chance: Chance) -> None:
    message.raw_input_contents.append(chance.bytes(int(chance.integers(0, 40))))


def add_typed(message: Message, chance: Chance) -> None:
    field = pick(chance, list(CONTENTS))
    for tensor in message.inputs[:1]:
        getattr(tensor.contents, field).extend(CONTENTS[field] * int(chance.integers(1, 9)))


def repeat_input(message: Message, chance: Chance) -> None:
    for tensor in message.inputs[:1]:
        message.inputs.add().CopyFrom(tensor)


def drop_input(message: Message, chance: Chance) -> None:
    del message.inputs[:1]


def swap_inputs(message: Message, chance: Chance) -> None:
    kept = list(message.inputs)[::-1]
    del message.inputs[:]
    message.inputs.extend(kept)


def ask_output(message: Message, chance: Chance) -> None:
    message.outputs.add(name=pick(chance, NAMES))


def add_parameter(message: Message, chance: Chance) -> None:
    for tensor in [*message.inputs[:1], *message.outputs[:1], message]:
        key = pick(chance, ["shared_memory_region", "classification", "binary_data", "sequence_id"])
        tensor.parameters[key].int64_param = pick(chance, NUMBERS)


ON_FIELDS: list[Callable[[Message, Chance], None]] = [
    change_model,
    change_version,
    change_name,
    change_datatype,
    change_dimension,
    change_rank,
    change_raw,
    drop_raw,
    add_raw,
    add_typed,
    repeat_input,
    drop_input,
    swap_inputs,
    ask_output,
    add_parameter,
]
