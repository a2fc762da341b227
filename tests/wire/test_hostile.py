"""Input that no honest client sends: an error with a sentence, and the next good request is answered right.

The `wire` fixture asks a good request after each test; every refusal is checked for paths, source lines and traces.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

import small_models
import wire_server
from server_process import ServerProcess
from wire_server import SERVICE, Wire, add_raw, answer, datatype_of, raw_strings, request, texts

OK = grpc.StatusCode.OK
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED

UNARY = sorted(method.name for method in SERVICE.methods if method.name != "ModelStreamInfer")
MIB = 1 << 20


def good() -> pb.ModelInferRequest:
    x = np.ones((2, 4), np.float32)
    return request("dyn", {"a": x, "b": x}, id="hostile")


def of_shape(*shape: int, datatype: str = "FP32", raw: bytes = b"", model: str = "pass_f32") -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name=model)
    message.inputs.add(name="x", datatype=datatype, shape=shape)
    message.raw_input_contents.append(raw)
    return message


def typed(kind: str, field: str, *values: object) -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name=f"pass_{kind}")
    tensor = message.inputs.add(name="x", datatype=small_models.KSERVE[kind], shape=[len(values)])
    getattr(tensor.contents, field).extend(values)
    return message


def strings(count: int, raw: bytes) -> pb.ModelInferRequest:
    return of_shape(count, datatype="BYTES", raw=raw, model="text")


# Bytes that are no message


@pytest.mark.parametrize("rpc", UNARY)
def test_random_bytes_to_any_call_end_with_a_status_of_ours(wire: Wire, rpc: str) -> None:
    chance = np.random.default_rng(len(rpc))
    calls = [wire.future(rpc, chance.bytes(int(chance.integers(1, 200)))) for _ in range(50)]
    codes = {answer(call).code for call in calls}
    assert codes <= {OK, INVALID, NOT_FOUND, UNIMPLEMENTED}
    assert codes & {INVALID, UNIMPLEMENTED}


def test_every_truncation_of_a_request_ends_with_a_status_of_ours(wire: Wire) -> None:
    data = good().SerializeToString()
    calls = [wire.future("ModelInfer", data[:length]) for length in range(len(data))]
    assert {answer(call).code for call in calls} <= {INVALID, NOT_FOUND}


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\x2a\xff\xff\xff\xff\x07x"])
def test_bytes_that_are_no_request_are_named_as_such(wire: Wire, data: bytes) -> None:
    refusal = wire.infer(data)
    assert (refusal.code, refusal.details) == (INVALID, "the message is not a valid inference.ModelInferRequest")


def test_groups_nested_a_million_deep_are_refused(wire: Wire) -> None:
    assert wire.infer(b"\x9b\x01" * MIB).code is INVALID


def test_unknown_fields_do_no_harm(wire: Wire) -> None:
    unknown = b"\x9a\x3e\x03abc"  # field 995
    assert set(wire.infer(good().SerializeToString() + unknown).outputs) == {"sum", "difference"}


# Shapes


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ([2**62 + 2, 4], "[4611686018427387906,4]"),
        ([2**63 - 1], "[9223372036854775807]"),
        ([2**32, 2**32], "[4294967296,4294967296]"),
        ([2**16] * 5, "[65536,65536,65536,65536,65536]"),
        ([0, 2**62, 2**62], "[0,4611686018427387904,4611686018427387904]"),
        ([2**40, 0], "[1099511627776,0]"),
    ],
)
def test_a_shape_beyond_all_memory_is_refused(wire: Wire, shape: list[int], got: str) -> None:
    refusal = wire.infer(of_shape(*shape))
    assert refusal.code is INVALID
    assert f"model 'pass_f32': input 'x' has shape {got}" in refusal.details


@pytest.mark.parametrize("shape", [[-1], [-(2**63)], [2, -2], [-2, -2], [0, -1]])
def test_a_negative_dimension_is_refused(wire: Wire, shape: list[int]) -> None:
    refusal = wire.infer(of_shape(*shape, raw=bytes(16)))
    assert refusal.code is INVALID
    assert "input 'x' has shape [" in refusal.details
    assert "expected every dimension to be 0 or more" in refusal.details


@pytest.mark.parametrize("rank", [33, 65, 100, 100_000])
def test_a_shape_of_too_many_dimensions_is_refused(wire: Wire, rank: int) -> None:
    refusal = wire.infer(of_shape(*[1] * rank, raw=bytes(4)))
    assert refusal.code is INVALID
    assert f"input 'x' has {rank} dimensions, expected at most 32" in refusal.details


def test_a_shape_of_32_dimensions_is_compared_with_the_models(wire: Wire) -> None:
    refusal = wire.infer(of_shape(*[1] * 32, raw=bytes(4)))
    assert refusal.code is INVALID
    assert "Invalid number of shape dimensions - Expected: (-1); Actual: (1,1," in refusal.details


def test_no_rows_of_absurdly_many_columns_are_refused_before_they_are_summed(wire: Wire) -> None:
    refusal = wire.infer(of_shape(0, 2**28, model="sums"))
    assert refusal.code is INVALID
    expected = "input 'x' has shape [0,268435456], expected at most 67108864 bytes in all beside the zero"
    assert expected in refusal.details


def test_no_rows_of_many_columns_are_summed(wire: Wire) -> None:
    sums = wire.infer(of_shape(0, 1000, model="sums")).outputs["y"]
    assert sums.tolist() == [0] * 1000


def test_tensors_that_fit_the_model_but_not_each_other_are_openvinos_to_refuse(wire: Wire) -> None:
    message = request("dyn", {"a": np.ones((2, 4), np.float32), "b": np.ones((3, 4), np.float32)})
    refusal = wire.infer(message)
    assert refusal.code is grpc.StatusCode.INTERNAL
    assert refusal.details.startswith("model 'dyn' version 1: [CPU] Add node with name ")
    assert refusal.details.endswith("input shapes dim index: 0 mismatch")


# Raw contents


@pytest.mark.parametrize("kind", small_models.NUMERIC)
@pytest.mark.parametrize("surplus", [-1, 1])
def test_a_byte_too_few_or_too_many_is_refused(wire: Wire, kind: str, surplus: int) -> None:
    datatype = small_models.KSERVE[kind]
    expected = 3 * {"8": 1, "6": 2, "2": 4, "4": 8, "L": 1}[datatype[-1]]
    refusal = wire.infer(of_shape(3, datatype=datatype, raw=bytes(expected + surplus), model=f"pass_{kind}"))
    assert refusal.code is INVALID
    assert (
        f"model 'pass_{kind}': input 'x' of shape [3] and datatype {datatype} expects {expected} bytes, "
        f"got {expected + surplus}" in refusal.details
    )


@pytest.mark.parametrize(
    ("count", "raw", "complaint"),
    [
        (1, b"\x05\0\0\0abc", "element 0 is 5 bytes long, but 3 remain"),
        (1, b"\xff\xff\xff\xffabc", "element 0 is 4294967295 bytes long, but 3 remain"),
        (2, raw_strings([b"abcd", b"efgh"])[:-1], "element 1 is 4 bytes long, but 3 remain"),
        (1, raw_strings([b"abc"]) + b"x", "expects 1 elements, after which 1 bytes remain"),
        (1, raw_strings([b"abc", b""]), "expects 1 elements, after which 4 bytes remain"),
        (2, raw_strings([b"abcdefgh"]), "expects 2 elements, got 1"),
        (3, raw_strings([b"abc"]), "expects 3 elements, which 7 bytes cannot hold"),
        (1, b"", "expects 1 elements, which 0 bytes cannot hold"),
        (0, b"\0\0\0\0", "expects 0 elements, after which 4 bytes remain"),
        (2**28 - 1, b"\0\0\0\0", "expects 268435455 elements, which 4 bytes cannot hold"),
        (2**31, b"\0\0\0\0", "expected at most 2147483648 bytes in all"),
    ],
)
def test_strings_that_do_not_fit_their_bytes_are_refused(wire: Wire, count: int, raw: bytes, complaint: str) -> None:
    refusal = wire.infer(strings(count, raw))
    assert refusal.code is INVALID
    assert "model 'text': input 'x'" in refusal.details
    assert complaint in refusal.details


def resident_bytes(server: ServerProcess, figure: str) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(figure))) * 1024


def test_a_huge_count_costs_no_memory(server: ServerProcess, wire: Wire) -> None:
    before = resident_bytes(server, "VmHWM")
    for message in (strings(2**28 - 1, b"\0\0\0\0"), of_shape(2**28), typed_of_huge_count()):
        assert wire.infer(message).code is INVALID
    assert resident_bytes(server, "VmHWM") - before < 64 * MIB


def typed_of_huge_count() -> pb.ModelInferRequest:
    message = typed("f32", "fp32_contents", 1.0)
    message.inputs[0].shape[:] = [2**28]
    return message


HOSTILE_STRINGS = texts(
    b"", b"\0", b"\0a\0\0", b"\xff\xfe\xfd", b"\xed\xa0\x80", b"\xc3", b"a" * 70_000, bytes(range(256))
)


def test_strings_that_are_no_text_come_back_exact(wire: Wire) -> None:
    assert wire.infer(request("text", {"x": HOSTILE_STRINGS})).outputs["x"].tolist() == HOSTILE_STRINGS.tolist()


def test_typed_strings_that_are_no_text_come_back_exact(wire: Wire) -> None:
    message = pb.ModelInferRequest(model_name="text")
    message.inputs.add(name="x", datatype="BYTES", shape=[8]).contents.bytes_contents.extend(HOSTILE_STRINGS)
    assert wire.infer(message).outputs["x"].tolist() == HOSTILE_STRINGS.tolist()


def test_megabytes_of_strings_come_back_exact(wire: Wire) -> None:
    chance = np.random.default_rng(1)
    many = texts(*(chance.bytes(int(length)) for length in chance.integers(0, 2000, 5000)))
    for _ in range(3):
        assert wire.infer(request("text", {"x": many})).outputs["x"].tolist() == many.tolist()


def test_a_real_string_model_echoes_exact_bytes_and_their_lengths(
    shared: Path, serve: Callable[..., ServerProcess]
) -> None:
    wire = Wire(serve("--model_name", "echo", "--model_path", str(shared / "models/string-echo")).address)
    for sent in (HOSTILE_STRINGS, texts(), HOSTILE_STRINGS[:1], texts(), HOSTILE_STRINGS[::-1]):
        outputs = wire.infer(request("echo", {"text": sent})).outputs
        assert outputs["echo"].tolist() == sent.tolist()
        assert outputs["length"].tolist() == [len(text) for text in sent]
    wire.close()


# Typed contents


@pytest.mark.parametrize("kind", ["f16", "bf16"])
@pytest.mark.parametrize("field", ["fp32_contents", "uint_contents", "int_contents", "bytes_contents"])
def test_half_precision_has_no_typed_contents(wire: Wire, kind: str, field: str) -> None:
    refusal = wire.infer(typed(kind, field, b"x" if field == "bytes_contents" else 1))
    assert refusal.code is INVALID
    datatype = small_models.KSERVE[kind]
    assert f"input 'x': datatype {datatype} has no typed contents, send it in raw_input_contents" in refusal.details


FIELDS = {
    "boolean": "bool_contents",
    "i8": "int_contents",
    "i16": "int_contents",
    "i32": "int_contents",
    "i64": "int64_contents",
    "u8": "uint_contents",
    "u16": "uint_contents",
    "u32": "uint_contents",
    "u64": "uint64_contents",
    "f32": "fp32_contents",
    "f64": "fp64_contents",
}


@pytest.mark.parametrize("kind", FIELDS)
def test_each_typed_field_but_the_right_one_is_refused(wire: Wire, kind: str) -> None:
    for field in {*FIELDS.values(), "bytes_contents"} - {FIELDS[kind]}:
        refusal = wire.infer(typed(kind, field, b"x" if field == "bytes_contents" else 1))
        assert refusal.code is INVALID
        assert f"has datatype {small_models.KSERVE[kind]}, expected {FIELDS[kind]}, got {field}" in refusal.details


def test_the_right_field_beside_a_wrong_one_is_refused(wire: Wire) -> None:
    message = typed("f32", "fp32_contents", 1.0)
    message.inputs[0].contents.int_contents.append(1)
    refusal = wire.infer(message)
    assert refusal.code is INVALID
    assert "expected fp32_contents, got int_contents" in refusal.details


@pytest.mark.parametrize(
    ("kind", "value", "limits"),
    [
        ("i8", 128, "-128 to 127"),
        ("i8", -129, "-128 to 127"),
        ("u8", 256, "0 to 255"),
        ("u8", 2**32 - 1, "0 to 255"),
        ("i16", 2**15, "-32768 to 32767"),
        ("i16", -(2**31), "-32768 to 32767"),
        ("u16", 2**16, "0 to 65535"),
    ],
)
def test_a_typed_value_out_of_range_is_refused(wire: Wire, kind: str, value: int, limits: str) -> None:
    refusal = wire.infer(typed(kind, FIELDS[kind], 1, value))
    assert refusal.code is INVALID
    assert f"input 'x' has datatype {small_models.KSERVE[kind]}, expected values {limits}" in refusal.details


def test_unknown_fields_inside_typed_contents_do_not_shift_the_values(wire: Wire) -> None:
    message = typed("f32", "fp32_contents", 1.0, 2.0, 3.0)
    contents = message.inputs[0].contents
    contents.ParseFromString(b"\x9a\x3e\x03abc" + contents.SerializeToString() + b"\x9a\x3e\x01z")
    assert wire.infer(message).outputs["x"].tolist() == [1, 2, 3]


def test_typed_values_in_pieces_are_joined(wire: Wire) -> None:
    message = typed("f64", "fp64_contents", 1.0, 2.0)
    contents = message.inputs[0].contents
    one_unpacked = b"\x39" + np.float64(3).tobytes()
    data = contents.SerializeToString() + one_unpacked
    message.inputs[0].shape[:] = [3]
    wire_form = pb.ModelInferRequest(model_name="pass_f64").SerializeToString() + nested(
        5, nested(1, b"x") + nested(2, b"FP64") + nested(3, b"\x03") + nested(5, data)
    )
    assert wire.infer(wire_form).outputs["x"].tolist() == [1, 2, 3]


def nested(field: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([field << 3 | 2, len(data)]) + data


# Size


LONG = {
    "ascii": "n" * MIB,
    "percent": "%" * MIB,
    "letters": "\u00e4\u6587\U0001f600" * (MIB // 4),
    "controls": "\0\n" * MIB,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("place", ["model", "version", "id", "input", "output", "datatype", "region"])
def test_a_megabyte_of_text_anywhere_is_quoted_in_part(wire: Wire, place: str, text: str) -> None:
    message = good()
    match place:
        case "model":
            message.model_name = text
        case "version":
            message.model_version = text
        case "id":
            message.id = text
            message.inputs[0].datatype = "nonsense"
        case "input":
            message.inputs[0].name = text
        case "output":
            message.outputs.add(name=text)
        case "datatype":
            message.inputs[0].datatype = text
        case "region":
            message.inputs[0].parameters["shared_memory_region"].string_param = text
    refusal = wire.infer(message)
    assert refusal.code in {INVALID, NOT_FOUND}
    assert 10 < len(refusal.details) < 5000


def test_thousands_of_inputs_are_refused_in_one_sentence(wire: Wire) -> None:
    message = pb.ModelInferRequest(model_name="dyn")
    for index in range(20_000):
        add_raw(message, f"input{index}", np.zeros(1, np.float32))
    refusal = wire.infer(message)
    assert refusal.code is INVALID
    assert "model 'dyn' version 1 expects 2 inputs 'a', 'b', got 20000" in refusal.details


def test_thousands_of_parameters_do_no_harm(wire: Wire) -> None:
    message = good()
    for index in range(20_000):
        message.parameters[f"p{index}"].string_param = "v"
        message.inputs[0].parameters[f"p{index}"].int64_param = index
    assert set(wire.infer(message).outputs) == {"sum", "difference"}


WRONG_PARAMETERS = {
    "sequence_id": ("double_param", 1.5, "'sequence_id' is the number 1.5, expected a whole number"),
    "sequence_end": ("string_param", "yes", "'sequence_end' is a string, expected true or false"),
    "priority": ("int64_param", -1, "'priority' is the number -1, expected a whole number from 0 on"),
    "timeout": ("bool_param", True, "'timeout' is the literal true, expected a number of microseconds"),
    "triton_mine": ("bool_param", True, "parameter 'triton_mine' begins with 'triton_', of which there is only"),
}


@pytest.mark.parametrize("name", WRONG_PARAMETERS)
def test_a_parameter_with_a_wrong_value_is_told_in_one_sentence(wire: Wire, name: str) -> None:
    form, value, sentence = WRONG_PARAMETERS[name]
    message = good()
    setattr(message.parameters[name], form, value)
    refusal = wire.infer(message)
    assert refusal.code is INVALID
    assert f"model 'dyn': the request: {sentence}" in refusal.details


def test_a_parameter_without_a_value_is_none(wire: Wire) -> None:
    message = good()
    message.parameters["priority"].Clear()
    assert set(wire.infer(message).outputs) == {"sum", "difference"}


def test_thousands_of_requested_outputs_are_merged(wire: Wire) -> None:
    message = good()
    for _ in range(20_000):
        message.outputs.add(name="sum")
    assert list(wire.infer(message).outputs) == ["sum"]


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("small")
    small_models.save(small_models.pass_through("f32", [-1]), root / "pass/1")
    small_models.save(wire_server.eightfold(), root / "eightfold/1")
    server = ServerProcess("--model_repository", str(root), "--grpc_max_message_bytes", "4096")
    yield server
    assert server.stop() == 0


def test_a_message_above_the_limit_is_refused_and_the_next_is_answered(small_server: ServerProcess) -> None:
    wire = Wire(small_server.address)
    refusal = wire.infer(request("pass", {"x": np.zeros(1024, np.float32)}))
    assert refusal.code is EXHAUSTED
    assert refusal.details == "the message has 4120 bytes, expected at most 4096"
    x = np.arange(1000, dtype=np.float32)
    assert (wire.infer(request("pass", {"x": x})).outputs["x"] == x).all()
    wire.close()


def test_a_message_that_unpacks_to_more_than_the_limit_is_refused(small_server: ServerProcess) -> None:
    wire = Wire(small_server.address)
    infer = wire.channel.unary_unary(f"/{SERVICE.full_name}/ModelInfer")
    for zeros, code in ((MIB, EXHAUSTED), (900, OK)):
        data = request("pass", {"x": np.zeros(zeros, np.float32)}).SerializeToString()
        assert answer(infer.future(data, timeout=60, compression=grpc.Compression.Gzip)).code is code
    wire.close()


def test_an_answer_above_the_limit_is_refused_and_the_next_is_given(small_server: ServerProcess) -> None:
    wire = Wire(small_server.address)
    x = np.arange(500, dtype=np.float32)
    assert wire.infer(request("eightfold", {"x": x})).code is EXHAUSTED
    assert (wire.infer(request("eightfold", {"x": x[:50]})).outputs["y"] == np.tile(x[:50], 8)).all()
    wire.close()


def test_an_output_too_large_to_allocate_is_openvinos_to_refuse(wire: Wire) -> None:
    # [2^24, 0] x [0, 2^24]: two tensors of no bytes, whose product would take 2^50.
    message = pb.ModelInferRequest(model_name="product")
    for name, shape in (("a", [2**24, 0]), ("b", [0, 2**24])):
        message.inputs.add(name=name, datatype="FP32", shape=shape)
        message.raw_input_contents.append(b"")
    refusal = wire.infer(message)
    assert refusal.code is grpc.StatusCode.INTERNAL
    assert "model 'product' version 1: " in refusal.details
    assert "Failed to allocate" in refusal.details


# Shared memory


@pytest.mark.parametrize("rpc", [name for name in UNARY if "CudaSharedMemory" in name])
def test_memory_of_a_gpu_is_unimplemented(wire: Wire, rpc: str) -> None:
    assert wire.call(rpc, getattr(pb, f"{rpc}Request")()).code is UNIMPLEMENTED


def test_a_parameter_of_another_kind_does_no_harm(wire: Wire) -> None:
    message = good()
    message.inputs[0].parameters["shared_memory_region"].int64_param = 1
    assert wire.infer(message).code is NOT_FOUND


def test_datatypes_are_told_by_name_for_every_tensor() -> None:
    assert datatype_of(np.zeros(1, np.uint16)) == "UINT16"
