"""Every datatype, rank 0 to 5, raw and typed, comes back from a bare pass-through model bit for bit."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import openvino as ov
import pytest
import tritonclient.grpc as triton
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

import ovserve
import small_models
from server_process import ServerProcess
from tries import tries
from wire_server import Wire, raw_strings, texts

RANKS = range(6)
BYTES_EACH = {"boolean": 1} | {kind: int("".join(filter(str.isdigit, kind))) // 8 for kind in small_models.NUMERIC[1:]}
INTEGERS = {
    "i8": "int_contents",
    "i16": "int_contents",
    "i32": "int_contents",
    "i64": "int64_contents",
    "u8": "uint_contents",
    "u16": "uint_contents",
    "u32": "uint_contents",
    "u64": "uint64_contents",
}
# Values of these lie in a row on the wire; built by hand, since Python's floats would quieten a signalling NaN.
PACKED = {"boolean": 1, "f32": 6, "f64": 7}
TYPED = (*INTEGERS, *PACKED, "string")


@dataclass(frozen=True)
class Sent:
    """A tensor as it travels: datatype, shape, and the raw bytes (for strings: length and bytes of each)."""

    kind: str
    shape: tuple[int, ...]
    raw: bytes
    strings: tuple[bytes, ...] = ()


@st.composite
def tensors(draw: st.DrawFn, kinds: tuple[str, ...] = small_models.ALL, ranks: range = RANKS) -> Sent:
    kind = draw(st.sampled_from(kinds))
    rank = draw(st.sampled_from(ranks))
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=rank, max_size=rank)))
    count = math.prod(shape)
    if kind == "string":
        strings = tuple(draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count)))
        return Sent(kind, shape, raw_strings(strings), strings)
    seed = draw(st.integers(0, 2**32 - 1))
    raw = np.random.default_rng(seed).bytes(count * BYTES_EACH[kind])
    if kind == "boolean":
        raw = bytes(byte & 1 for byte in raw)
    elif kind in SPECIAL and count:
        special = draw(st.sampled_from(SPECIAL[kind]))
        raw = special + raw[len(special) :]
    return Sent(kind, shape, raw)


# Quiet and signalling NaN with payloads, infinities, minus zero, the smallest number.
SPECIAL = {
    "f16": [bytes.fromhex(text) for text in ("557e", "557d", "007c", "0080", "0100")],
    "bf16": [bytes.fromhex(text) for text in ("d57f", "957f", "807f", "0080", "0100")],
    "f32": [bytes.fromhex(text) for text in ("5555d5ff", "5555957f", "000080ff", "00000080", "01000000")],
    "f64": [
        bytes.fromhex(text)
        for text in ("555555555555fdff", "555555555555f57f", "000000000000f0ff", "0000000000000080", "0100000000000000")
    ],
}


def pass_of(kind: str, rank: int) -> str:
    return f"pass_{kind}_{rank}"


def mixed() -> ov.Model:
    """One bare pass-through per datatype, side by side; each input and its output bear the datatype's name."""
    nodes = [small_models.parameter(kind, [-1, -1], kind) for kind in small_models.ALL]
    results = [small_models.named(node, kind) for node, kind in zip(nodes, small_models.ALL, strict=True)]
    return ov.Model(results, nodes, "mixed")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bare")
    for kind in small_models.ALL:
        for rank in RANKS:
            model = small_models.pass_through(kind, [-1] * rank)
            small_models.save(model, root / pass_of(kind, rank) / "1")
    small_models.save(mixed(), root / "mixed/1")
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[ServerProcess]:
    server = ServerProcess("--model_repository", str(root), "--nireq", "2")
    yield server
    assert server.stop() == 0
    assert "values beyond that are not exact" not in server.log, "bare pass-through narrows nothing"


@pytest.fixture(scope="module")
def wire(server: ServerProcess) -> Iterator[Wire]:
    wire = Wire(server.address)
    yield wire
    wire.close()


def ask(wire: Wire, message: pb.ModelInferRequest) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    answer = wire.infer(message)
    assert answer.code.name == "OK", answer.details
    response = pb.ModelInferResponse.FromString(answer.data)
    return {
        output.name: (output.datatype, tuple(output.shape), content)
        for output, content in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def as_it_went(sent: Sent) -> tuple[str, tuple[int, ...], bytes]:
    return small_models.KSERVE[sent.kind], sent.shape, sent.raw


@given(sent=tensors())
@settings(max_examples=tries(600), deadline=None)
def test_raw_contents_come_back_bit_for_bit(wire: Wire, sent: Sent) -> None:
    message = pb.ModelInferRequest(model_name=pass_of(sent.kind, len(sent.shape)))
    message.inputs.add(name="x", datatype=small_models.KSERVE[sent.kind], shape=sent.shape)
    message.raw_input_contents.append(sent.raw)
    assert ask(wire, message) == {"x": as_it_went(sent)}


@given(sent=tensors(kinds=TYPED))
@settings(max_examples=tries(400), deadline=None)
def test_typed_contents_come_back_bit_for_bit(wire: Wire, sent: Sent) -> None:
    message = pb.ModelInferRequest(model_name=pass_of(sent.kind, len(sent.shape)))
    tensor = message.inputs.add(name="x", datatype=small_models.KSERVE[sent.kind], shape=sent.shape)
    fill(tensor.contents, sent)
    assert ask(wire, message) == {"x": as_it_went(sent)}


def fill(contents: pb.InferTensorContents, sent: Sent) -> None:
    if sent.kind == "string":
        contents.bytes_contents.extend(sent.strings)
    elif sent.kind in INTEGERS:
        values = np.frombuffer(sent.raw, getattr(ov.Type, sent.kind).to_dtype())
        getattr(contents, INTEGERS[sent.kind]).extend(values.tolist())
    elif sent.raw:
        contents.ParseFromString(bytes([PACKED[sent.kind] << 3 | 2]) + varint(len(sent.raw)) + sent.raw)


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + varint(rest)


@given(sent=st.tuples(*(tensors(kinds=(kind,), ranks=range(2, 3)) for kind in small_models.ALL)))
@settings(max_examples=60, deadline=None)
def test_fourteen_inputs_at_once_come_back_each_as_it_went(wire: Wire, sent: tuple[Sent, ...]) -> None:
    assume(all(sent[-1].shape))  # where no strings come at all, other outputs may be refused
    message = pb.ModelInferRequest(model_name="mixed")
    for one in sent:
        message.inputs.add(name=one.kind, datatype=small_models.KSERVE[one.kind], shape=one.shape)
        message.raw_input_contents.append(one.raw)
    assert ask(wire, message) == {one.kind: as_it_went(one) for one in sent}


@pytest.mark.parametrize("kind", small_models.ALL)
def test_tritonclient_gets_back_what_it_sent(server: ServerProcess, kind: str) -> None:
    if kind == "string":
        sent = texts(b"\xff\0", b"", b"plain").reshape(3, 1)
    else:
        dtype = ml_dtypes.bfloat16 if kind == "bf16" else getattr(ov.Type, kind).to_dtype()
        sent = np.arange(6).astype(dtype).reshape(2, 3)
    tensor = triton.InferInput("x", list(sent.shape), small_models.KSERVE[kind])
    tensor.set_data_from_numpy(sent)
    with triton.InferenceServerClient(server.address) as client:
        got = client.infer(pass_of(kind, 2), [tensor]).as_numpy("x")
    assert (got.shape, got.tolist()) == (sent.shape, sent.tolist())


@pytest.fixture(scope="module")
def models(root: Path) -> ovserve.InProcess:
    return ovserve.load(model_repository=root, log_level="ERROR", nireq=1)


@given(sent=tensors())
@settings(max_examples=tries(400), deadline=None)
def test_arrays_come_back_bit_for_bit_in_process(models: ovserve.InProcess, sent: Sent) -> None:
    if sent.kind == "string":
        array = texts(*sent.strings).reshape(sent.shape)
    else:
        dtype = np.uint16 if sent.kind == "bf16" else getattr(ov.Type, sent.kind).to_dtype()
        array = np.frombuffer(sent.raw, dtype).reshape(sent.shape)
    got = models.infer(pass_of(sent.kind, len(sent.shape)), array)["x"]
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert got.tolist() == array.tolist() if sent.kind == "string" else got.tobytes() == sent.raw


# Where the device computes in fewer bits, the log says so.


@pytest.mark.parametrize("kind", ["i64", "u64", "f64"])
def test_a_narrowed_tensor_is_named_in_a_warning_at_load(
    serve: Callable[..., ServerProcess], tmp_path: Path, kind: str
) -> None:
    small_models.save(small_models.add_one([-1], kind), tmp_path / "wide/1")
    small_models.save(small_models.add_one([-1], "i32"), tmp_path / "narrow/1")
    small_models.save(small_models.pass_through(kind, [-1]), tmp_path / "bare/1")
    server = serve("--model_repository", str(tmp_path))
    server.stop()
    warnings = [line for line in server.log.splitlines() if "values beyond that are not exact" in line]
    assert warnings
    assert all("model=wide version=1" in line and "warning" in line for line in warnings)
    narrow = {"i64": "i32", "u64": "i32|u32", "f64": "f32"}[kind]
    for tensor in ("input 'x'", "output 'y'"):
        assert any(
            f"{tensor} is {kind}, but the device computes it as {to}" in line
            for line in warnings
            for to in narrow.split("|")
        ), (tensor, warnings)
