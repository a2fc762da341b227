"""ModelInferRequests whose tensors lie in shared memory, and what damages one where it says so."""

from collections.abc import Callable

import numpy as np
from tritonclient.grpc import service_pb2 as pb

from mutated_bytes import Chance, pick
from mutated_requests import NUMBERS, ON_FIELDS
from shared_objects import place
from wire_server import request

Message = pb.ModelInferRequest

REGION, BYTE_SIZE, OFFSET = "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"
CONTENT = b"\3\0\0\0one\1\0\0\0\xff".ljust(64, b"\1")  # of the region: it begins with two strings
STRINGS_BYTES = 12


def seeds() -> list[Message]:
    """Make requests that are good where a region `r` has `CONTENT`."""
    one, both, mixed, strings = (Message(model_name="dyn", id=name) for name in ("one", "both", "", "strings"))
    place(one.inputs.add(name="a", datatype="FP32", shape=[2, 4]), 32)
    for offset, name in enumerate(("a", "b")):
        place(both.inputs.add(name=name, datatype="FP32", shape=[2, 4]), 32, 32 * offset)
    place(both.outputs.add(name="sum"), 32, 16)
    both.outputs.add(name="difference")
    mixed.CopyFrom(request("dyn", {"a": np.ones((2, 4), np.float32)}, model_version="1"))
    place(mixed.inputs.add(name="b", datatype="INT32", shape=[2, 4]), 32, 8)
    place(mixed.outputs.add(name="sum"), 64)
    place(strings.inputs.add(name="x", datatype="BYTES", shape=[2]), STRINGS_BYTES)
    return [one, both, mixed, strings]


def change_parameter(message: Message, chance: Chance) -> None:
    """Change what one parameter of some tensors is, its form or both, or take it away."""
    for tensor in [*message.inputs, *message.outputs][int(chance.integers(3)) :]:
        key = pick(chance, [REGION, BYTE_SIZE, OFFSET, "classification"])
        form = pick(chance, ["string_param", "int64_param", "int64_param", "uint64_param", "bool_param", "nothing"])
        number = pick(chance, [0, 1, 8, 12, 16, 28, 32, 33, 64, 65, 2**31, 2**63 - 1])
        if form == "nothing":
            tensor.parameters[key].int64_param = 0
            del tensor.parameters[key]
        elif form == "string_param":
            tensor.parameters[key].string_param = pick(chance, ["", "r", "other", "\u00e4"])
        else:
            setattr(tensor.parameters[key], form, number != 0 if form == "bool_param" else number)


def move(message: Message, chance: Chance) -> None:
    for tensor in [*message.inputs[:1], *message.outputs[-1:]]:
        place(tensor, pick(chance, [0, 16, 32, 64]), pick(chance, NUMBERS), pick(chance, ["r", "r", "other"]))


def repeat_output(message: Message, _chance: Chance) -> None:
    for output in message.outputs[:1]:
        message.outputs.add().CopyFrom(output)


ON_PLACES: list[Callable[[Message, Chance], None]] = [
    *ON_FIELDS,
    change_parameter,
    change_parameter,
    change_parameter,
    move,
    repeat_output,
]
