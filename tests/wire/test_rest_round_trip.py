"""Every datatype, rank 0 to 5, as JSON and as binary data, comes back from a bare pass-through model bit for bit."""

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from hypothesis import given, settings
from hypothesis import strategies as st

import small_models
from http_door import HttpDoor, with_binary
from server_process import ServerProcess
from tries import tries
from wire_server import raw_strings, texts

RANKS = range(6)
IN_JSON = tuple(kind for kind in small_models.ALL if kind != "bf16")
FLOATS = {"f16": 16, "f32": 32, "f64": 64}
SHAPES = st.lists(st.integers(0, 4), max_size=5).map(tuple)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("bare")
    for kind in small_models.ALL:
        for rank in RANKS:
            small_models.save(small_models.pass_through(kind, [-1] * rank), root / f"pass_{kind}_{rank}" / "1")
    server = ServerProcess("--model_repository", str(root), "--nireq", "2", rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


@pytest.fixture(scope="module")
def bare(server: ServerProcess) -> Iterator[HttpDoor]:
    door = HttpDoor(server.rest_address)
    yield door
    door.close()


def numpy_of(kind: str) -> Any:
    if kind == "string":
        return object
    return ml_dtypes.bfloat16 if kind == "bf16" else getattr(ov.Type, kind).to_dtype()


def values_of(kind: str) -> st.SearchStrategy[Any]:
    if kind == "string":
        return st.text(max_size=9)
    if kind == "boolean":
        return st.booleans()
    if kind in FLOATS:
        return st.floats(width=FLOATS[kind])
    limits = np.iinfo(numpy_of(kind))
    return st.integers(int(limits.min), int(limits.max))


@st.composite
def in_json(draw: st.DrawFn) -> tuple[str, tuple[int, ...], list[Any]]:
    kind = draw(st.sampled_from(IN_JSON))
    shape = draw(SHAPES)
    count = math.prod(shape)
    return kind, shape, draw(st.lists(values_of(kind), min_size=count, max_size=count))


@given(sent=in_json(), nested=st.booleans())
@settings(max_examples=tries(500), deadline=None)
def test_values_in_json_come_back_exactly(
    bare: HttpDoor, sent: tuple[str, tuple[int, ...], list[Any]], nested: bool
) -> None:
    kind, shape, values = sent
    data = nest(values, shape) if nested and shape else values
    tensor = {"name": "x", "datatype": small_models.KSERVE[kind], "shape": shape, "data": data}
    answer = bare.infer(f"pass_{kind}_{len(shape)}", {"inputs": [tensor]})
    assert answer.status == 200, answer.body
    (output,) = answer.json["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("x", small_models.KSERVE[kind], list(shape))
    assert same_bits(kind, output["data"], values) if kind in FLOATS else output["data"] == values


def same_bits(kind: str, got: list[float], sent: list[float]) -> bool:
    """Compare all but the payload of a NaN, for which JSON has no words."""
    one, other = (with_plain_nan(np.array(values, numpy_of(kind))) for values in (got, sent))
    return one.tobytes() == other.tobytes()


def with_plain_nan(array: np.ndarray) -> np.ndarray:
    array[np.isnan(array)] = np.nan
    return array


def nest(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape).tolist()


@st.composite
def binary(draw: st.DrawFn) -> tuple[str, tuple[int, ...], bytes]:
    kind = draw(st.sampled_from(small_models.ALL))
    shape = draw(SHAPES)
    count = math.prod(shape)
    if kind == "string":
        return kind, shape, raw_strings(draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count)))
    raw = draw(st.randoms(use_true_random=False)).randbytes(count * np.dtype(numpy_of(kind)).itemsize)
    return kind, shape, bytes(byte & 1 for byte in raw) if kind == "boolean" else raw


@given(sent=binary(), padding=st.integers(0, 9), sized=st.booleans())
@settings(max_examples=tries(500), deadline=None)
def test_binary_data_comes_back_bit_for_bit(
    bare: HttpDoor, sent: tuple[str, tuple[int, ...], bytes], padding: int, sized: bool
) -> None:
    kind, shape, raw = sent
    tensor: dict[str, Any] = {"name": "x", "datatype": small_models.KSERVE[kind], "shape": shape}
    if sized or kind == "string":
        tensor["parameters"] = {"binary_data_size": len(raw)}
    document = {"id": " " * padding, "inputs": [tensor], "parameters": {"binary_data_output": True}}
    answer = bare.infer(f"pass_{kind}_{len(shape)}", *with_binary(document, raw))
    assert answer.status == 200, answer.body
    length = int(answer.headers["inference-header-content-length"])
    assert answer.body[length:] == raw


def array_of(kind: str) -> np.ndarray:
    if kind == "string":
        return texts("é".encode(), b"", b"plain\0").reshape(3, 1)
    return np.arange(6).astype(numpy_of(kind)).reshape(2, 3)


CASES = [(kind, is_binary) for kind in small_models.ALL for is_binary in (True, False) if is_binary or kind in IN_JSON]


@pytest.mark.parametrize(("kind", "is_binary"), CASES)
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_tritonclient_gets_back_what_it_sent(
    server: ServerProcess, kind: str, is_binary: bool, compression: str | None
) -> None:
    sent = array_of(kind)
    tensor = triton.InferInput("x", list(sent.shape), small_models.KSERVE[kind])
    tensor.set_data_from_numpy(sent, binary_data=is_binary)
    with triton.InferenceServerClient(server.rest_address) as client:
        got = client.infer(
            f"pass_{kind}_2",
            [tensor],
            outputs=[triton.InferRequestedOutput("x", binary_data=is_binary)],
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        ).as_numpy("x")
    assert as_values(got) == as_values(sent)


@pytest.mark.parametrize(("kind", "is_binary"), CASES)
def test_the_asynchronous_tritonclient_too(server: ServerProcess, kind: str, is_binary: bool) -> None:
    sent = array_of(kind)
    tensor = triton_aio.InferInput("x", list(sent.shape), small_models.KSERVE[kind])
    tensor.set_data_from_numpy(sent, binary_data=is_binary)

    async def ask() -> np.ndarray:
        async with triton_aio.InferenceServerClient(server.rest_address) as client:
            outputs = [triton_aio.InferRequestedOutput("x", binary_data=is_binary)]
            return (await client.infer(f"pass_{kind}_2", [tensor], outputs=outputs)).as_numpy("x")

    assert as_values(asyncio.run(ask())) == as_values(sent)


def as_values(array: np.ndarray) -> tuple[tuple[int, ...], list[Any]]:
    flat = [value.encode() if isinstance(value, str) else value for value in array.ravel().tolist()]
    return array.shape, flat


@pytest.mark.parametrize("is_binary", [True, False])
def test_numbers_that_are_none_come_back_to_tritonclient(server: ServerProcess, is_binary: bool) -> None:
    sent = np.array([np.nan, np.inf, -np.inf, -0.0, 1.5], np.float32)
    tensor = triton.InferInput("x", [5], "FP32")
    tensor.set_data_from_numpy(sent, binary_data=is_binary)
    with triton.InferenceServerClient(server.rest_address) as client:
        outputs = [triton.InferRequestedOutput("x", binary_data=is_binary)]
        got = client.infer("pass_f32_1", [tensor], outputs=outputs).as_numpy("x")
    assert got.tobytes() == sent.tobytes()


@pytest.mark.parametrize(("compression", "count"), [(None, 16 << 20), ("gzip", 1 << 20)])
def test_a_tensor_of_many_megabytes_comes_back(server: ServerProcess, compression: str | None, count: int) -> None:
    sent = np.arange(count, dtype=np.float32)
    tensor = triton.InferInput("x", list(sent.shape), "FP32")
    tensor.set_data_from_numpy(sent)
    with triton.InferenceServerClient(server.rest_address, network_timeout=120) as client:
        got = client.infer(
            "pass_f32_1",
            [tensor],
            request_compression_algorithm=compression,
            response_compression_algorithm=compression,
        ).as_numpy("x")
    assert (got == sent).all()
