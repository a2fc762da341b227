"""Five thousand mutated requests of TensorFlow Serving's API: each ends with a status of ours, and nothing is harmed."""

from collections.abc import Callable

import grpc
import numpy as np

from barrage import assert_is_told, fire, mutated
from mutated_bytes import Chance, pick, with_other_bytes
from ovserve.frontends.tfs import messages
from ovserve.frontends.tfs.messages import PredictRequest
from server_process import ServerProcess
from tfs_wire import MODEL, PREDICTION, TfsWire, asking, predict_request
from wire_server import Wire, texts

REQUESTS = 5_000
SEED = 20_252

EXPECTED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


def seeds() -> list[PredictRequest]:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    listed = PredictRequest()
    listed.model_spec.name = "dyn"
    for name in ("a", "b"):
        listed.inputs[name].dtype = 1
        listed.inputs[name].float_val.extend([1, 2, 3, 4])
        for length in (1, 4):
            listed.inputs[name].tensor_shape.dim.add(size=length)
    asked = predict_request("dyn", {"a": x, "b": x}, 1)
    asked.output_filter.append("sum")
    return [
        listed,
        asked,
        predict_request("dyn", {"a": x, "b": x + 1}),
        predict_request("text", {"x": texts(b"hello", b"", b"\0\xff")}),
        predict_request("texts", {"a": texts(b"left"), "b": texts(b"right", b"more")}),
        predict_request("labels", {"index": np.array([0, 2, 1])}),
        predict_request("pass_u8", {"x": np.arange(20, dtype=np.uint8)}),
        predict_request("pass_f16", {"x": np.arange(3, dtype=np.float16)}),
        predict_request("pass_boolean", {"x": np.array([True, False])}),
        predict_request("scalar", {"x": np.array(1, np.float32)}),
        predict_request("fixed", {"x": np.ones((2, 3), np.int32)}),
    ]


NUMBERS = [0, 1, 2, 3, 4, 8, -1, 2**16, 2**31, 2**62 + 2, 2**63 - 1, -(2**63)]
NAMES = ["", "a", "x", "text", "sum", "\0", "n" * 10_000]
VALUES = {
    "float_val": [float("nan")],
    "double_val": [1e300],
    "int_val": [-1],
    "string_val": [b"\xff\0"],
    "int64_val": [2**63 - 1],
    "bool_val": [True],
    "half_val": [70_000],
    "uint32_val": [2**32 - 1],
    "uint64_val": [2**64 - 1],
    "scomplex_val": [1.0],
}


def change_model(message: PredictRequest, chance: Chance) -> None:
    message.model_spec.name = pick(chance, ["dyn", "text", "scalar", "broken", "nope", *NAMES])


def change_version(message: PredictRequest, chance: Chance) -> None:
    if chance.random() < 0.5:
        message.model_spec.version.value = pick(chance, NUMBERS)
    else:
        message.model_spec.version_label = pick(chance, NAMES)


def add_input(message: PredictRequest, chance: Chance) -> None:
    for tensor in list(message.inputs.values())[:1]:
        message.inputs[pick(chance, NAMES)].CopyFrom(tensor)


def drop_input(message: PredictRequest, chance: Chance) -> None:
    for name in list(message.inputs)[:1]:
        del message.inputs[name]


def change_datatype(message: PredictRequest, chance: Chance) -> None:
    for tensor in message.inputs.values():
        tensor.dtype = int(chance.integers(-1, 130))


def change_dimension(message: PredictRequest, chance: Chance) -> None:
    for tensor in message.inputs.values():
        if tensor.tensor_shape.dim:
            tensor.tensor_shape.dim[int(chance.integers(len(tensor.tensor_shape.dim)))].size = pick(chance, NUMBERS)


def change_rank(message: PredictRequest, chance: Chance) -> None:
    for tensor in list(message.inputs.values())[:1]:
        tensor.tensor_shape.unknown_rank = chance.random() < 0.2
        for _ in range(int(chance.integers(1, 40))):
            tensor.tensor_shape.dim.add(size=pick(chance, [0, 1, 1, 1, 2]))


def change_content(message: PredictRequest, chance: Chance) -> None:
    for tensor in message.inputs.values():
        size = int(chance.integers(0, 2 * len(tensor.tensor_content) + 2))
        tensor.tensor_content = pick(chance, [chance.bytes(size), tensor.tensor_content[:size], b""])


def add_values(message: PredictRequest, chance: Chance) -> None:
    field = pick(chance, list(VALUES))
    for tensor in list(message.inputs.values())[:1]:
        getattr(tensor, field).extend(VALUES[field] * int(chance.integers(1, 9)))


def leave_values(message: PredictRequest, chance: Chance) -> None:
    """Fewer values than the shape says: the last one stands for the rest."""
    for tensor in message.inputs.values():
        tensor.tensor_content = b""
        del tensor.float_val[int(chance.integers(0, 3)) :]


def ask_output(message: PredictRequest, chance: Chance) -> None:
    message.output_filter.append(pick(chance, NAMES))


ON_FIELDS: list[Callable[[PredictRequest, Chance], None]] = [
    change_model,
    change_version,
    add_input,
    drop_input,
    change_datatype,
    change_dimension,
    change_rank,
    change_content,
    add_values,
    leave_values,
    ask_output,
]


def test_mutated_requests_do_no_harm(server: ServerProcess, wire: Wire) -> None:
    tfs = TfsWire(wire.channel)
    requests = mutated(seeds(), ON_FIELDS, seed=SEED, count=REQUESTS)
    fire(
        wire,
        requests,
        lambda data: tfs.future(f"{PREDICTION}Predict", data),
        lambda _, got: assert_is_told(got, EXPECTED),
    )
    assert server.process.poll() is None


def test_every_request_that_is_mutated_is_good_as_it_stands(wire: Wire) -> None:
    tfs = TfsWire(wire.channel)
    assert {tfs.call(f"{PREDICTION}Predict", message).code for message in seeds()} == {grpc.StatusCode.OK}


def test_mutated_questions_about_models_do_no_harm(wire: Wire) -> None:
    chance, tfs = np.random.default_rng(SEED), TfsWire(wire.channel)
    questions = {
        f"{MODEL}GetModelStatus": asking(messages.GetModelStatusRequest, "upper", 2),
        f"{PREDICTION}GetModelMetadata": asking(
            messages.GetModelMetadataRequest, "dyn", metadata_field=["signature_def"]
        ),
    }
    for path, message in questions.items():
        for _ in range(300):
            got = tfs.call(path, with_other_bytes(message.SerializeToString(), chance))
            assert got.code in EXPECTED, (got.code, got.details)
