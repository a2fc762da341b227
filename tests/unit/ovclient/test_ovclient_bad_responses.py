"""Whatever a server answers is an array or a BadResponse, never a crash."""

from concurrent import futures
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

from ovclient import BadResponse, Client
from ovclient._datatypes import DATATYPES
from ovclient._decode import decode_all
from ovclient.testing import FakeServer
from tries import tries


def answer(*outputs: tuple[str, str, list[int]], raw: list[bytes]) -> Any:
    message = pb.ModelInferResponse(raw_output_contents=raw)
    for name, datatype, shape in outputs:
        message.outputs.add(name=name, datatype=datatype, shape=shape)
    return message


def typed(datatype: str, shape: list[int], **contents: list[object]) -> Any:
    message = answer(("y", datatype, shape), raw=[])
    message.outputs[0].contents.MergeFrom(pb.InferTensorContents(**contents))
    return message


BOTH = typed("FP32", [1], fp32_contents=[1])
BOTH.raw_output_contents.append(b"1234")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (answer(("y", "FP31", [1]), raw=[b"1234"]), "tensor 'y' has unknown datatype 'FP31'"),
        (answer(("y", "", [1]), raw=[b"1234"]), "tensor 'y' has unknown datatype ''"),
        (answer(("y", "FP32", [-1]), raw=[b"1234"]), r"tensor 'y' has a negative dimension: \[-1\]"),
        (answer(("y", "FP32", [2]), raw=[b"1234"]), "tensor 'y': expected 2 x FP32 = 8 bytes, got 4"),
        (answer(("y", "FP32", [2**62 + 2, 4]), raw=[b"1234"]), "expected .* bytes, got 4"),
        (answer(("y", "FP32", [1] * 100), raw=[b"1234"]), "cannot be held"),
        (answer(("y", "FP32", [2**62, 2**62, 0]), raw=[b""]), "cannot be held"),
        (answer(("y", "FP32", [1]), raw=[b"1234", b"5"]), "1 tensors came with 2 raw contents"),
        (answer(("y", "FP32", [1]), ("z", "FP32", [1]), raw=[b"1234"]), "2 tensors came with 1 raw contents"),
        (answer(("y", "FP32", [0]), ("y", "FP32", [0]), raw=[b"", b""]), "tensor 'y' came twice"),
        (answer(("y", "BYTES", [1]), raw=[b"\4\0\0\0abc"]), "BYTES element 0 reaches beyond"),
        (answer(("y", "BYTES", [1]), raw=[b"\4\0"]), "BYTES element 0 reaches beyond"),
        (answer(("y", "BYTES", [2]), raw=[b"\1\0\0\0a"]), "expected 2 BYTES elements, got 1"),
        (answer(("y", "FP32", [1]), raw=[]), "expected 1 FP32 values, got 0"),
        (typed("FP32", [2], fp32_contents=[1]), "expected 2 FP32 values, got 1"),
        (typed("FP32", [1], int_contents=[1]), "FP32 belongs into fp32_contents, got .*int_contents"),
        (typed("FP16", [1], fp32_contents=[1]), "FP16 has no typed contents, got fp32_contents"),
        (typed("INT8", [1], int_contents=[300]), "a value does not fit into INT8"),
        (typed("UINT8", [1], uint_contents=[256]), "a value does not fit into UINT8"),
        (BOTH, "tensor 'y' came with raw and with typed contents"),
    ],
)
def test_a_malformed_answer_is_told_by_tensor(server: FakeServer, client: Client, message: Any, text: str) -> None:
    server.answer("ModelInfer", message)
    with pytest.raises(BadResponse, match=text):
        client.infer("echo", {"x": [1.0]})


def test_an_answer_without_the_wanted_output_is_bad(server: FakeServer, client: Client) -> None:
    server.answer("ModelInfer", answer(("z", "FP32", [0]), raw=[b""]))
    with pytest.raises(BadResponse, match=r"model 'echo' was asked for output 'y' but answered \['z'\]"):
        client.infer("echo", {"x": [1.0]}, outputs=["y"])


def test_empty_typed_contents_beside_raw_ones_say_nothing() -> None:
    message = typed("FP32", [1], fp32_contents=[])
    message.raw_output_contents.append(b"\0\0\x80?")
    assert message.outputs[0].HasField("contents")
    assert decode_all(message.outputs, message.raw_output_contents)["y"].tolist() == [1]


def test_bool_bytes_other_than_0_and_1_are_true() -> None:
    message = answer(("y", "BOOL", [3]), raw=[b"\0\1\7"])
    assert decode_all(message.outputs, message.raw_output_contents)["y"].tolist() == [False, True, True]


@given(
    st.sampled_from([*DATATYPES, "", "fp32"]),
    st.lists(st.integers(-2, 5) | st.integers(-(2**63), 2**63 - 1), max_size=6),
    st.lists(st.binary(max_size=40), max_size=2),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
)
@settings(max_examples=tries(500))
def test_random_answers_are_decoded_or_refused(
    datatype: str, shape: list[int], raw: list[bytes], ints: list[int]
) -> None:
    message = typed(datatype, shape, int_contents=ints)
    message.raw_output_contents.extend(raw)
    try:
        array = decode_all(message.outputs, message.raw_output_contents)["y"]
    except BadResponse:
        return
    assert array.shape == tuple(shape)


def test_bytes_that_are_no_protocol_buffer_are_a_bad_response() -> None:
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: b"\xff\xff\xff")
    service = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", {"ServerLive": handler})
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Client(f"127.0.0.1:{port}") as client, pytest.raises(BadResponse, match="no message of this protocol"):
            client.live()
    finally:
        server.stop(0).wait()
