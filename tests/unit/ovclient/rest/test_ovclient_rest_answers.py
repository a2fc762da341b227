"""What both clients make of answers over REST."""

import math
from typing import Any

import numpy as np
import pytest

from canned_http import BINARY, CannedServer, answer, inference, output, raw
from ovclient import BadResponse, Client

X = np.zeros(2, np.float32)


def test_binary_outputs_are_read_only_views_that_lie_aligned(server: CannedServer, client: Client) -> None:
    y, z = np.array([1, 2], np.float32), np.array([3.5])
    byte = output(name="b", datatype="UINT8", shape=[1], parameters={"binary_data_size": 1})
    last = output(name="z", datatype="FP64", shape=[1], **BINARY)
    server.answer = inference([output(**BINARY), byte, last], y.tobytes() + b"\7" + z.tobytes())
    result = client.infer("m", {"x": X})
    assert {name: array.tolist() for name, array in result.items()} == {"y": [1, 2], "b": [7], "z": [3.5]}
    assert all(array.flags.aligned and not array.flags.writeable for array in result.values())
    assert (result.model, result.version) == ("m", "1")


@pytest.mark.parametrize(
    ("datatype", "data", "expected"),
    [
        ("FP32", [1, 0.1], np.array([1, 0.1], np.float32)),
        ("FP32", [[1], [math.nan]], np.array([1, math.nan], np.float32)),
        ("FP16", [1.5, -2], np.array([1.5, -2], np.float16)),
        ("INT64", [2**63 - 1, -(2**63)], np.array([2**63 - 1, -(2**63)])),
        ("UINT64", [2**64 - 1, 0], np.array([2**64 - 1, 0], np.uint64)),
        ("BOOL", [True, False], np.array([True, False])),
        ("BYTES", ["é", ""], np.array(["é".encode(), b""], object)),
    ],
)
def test_outputs_in_json_are_understood_too(
    server: CannedServer, client: Client, datatype: str, data: list[Any], expected: np.ndarray
) -> None:
    server.answer = inference([output(datatype=datatype, data=data)])
    got = client.infer("m", {"x": X})["y"]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("outputs", "binary"),
    [
        ([output(**BINARY)], b"1234567"),
        ([output(**BINARY)], b"123456789"),
        ([output(**BINARY)], None),
        ([output(shape=[3], **BINARY)], b"12345678"),
        ([output(parameters={"binary_data_size": -1})], b""),
        ([output(parameters={"binary_data_size": "8"})], b"12345678"),
        ([output(parameters=[1])], None),
        ([output()], None),
        ([output(data=[1])], None),
        ([output(data=[1, None])], None),
        ([output(data=[1, "2"])], None),
        ([output(data=7)], None),
        ([output(datatype="INT32", data=[1, 1.5])], None),
        ([output(datatype="INT8", data=[1, 128])], None),
        ([output(datatype="BYTES", data=[1, 2])], None),
        ([output(datatype="BYTES", data=["\ud800", ""])], None),
        ([output(datatype="FP8", data=[1, 2])], None),
        ([output(shape="2", data=[1, 2])], None),
        ([output(shape=[-2], data=[1, 2])], None),
        ([output(shape=[2**70], data=[1, 2])], None),
        ([output(name=1, data=[1, 2])], None),
        ([output(data=[1, 2]), output(data=[1, 2])], None),
        ([{}], None),
        ([1], None),
        (1, None),
    ],
    ids=str,
)
def test_an_answer_that_breaks_the_protocol_is_told(
    server: CannedServer, client: Client, outputs: Any, binary: bytes | None
) -> None:
    server.answer = inference(outputs, binary)
    with pytest.raises(BadResponse):
        client.infer("m", {"x": X})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"1", b"null", b"{}", b"[" * 100_000, b"\xff", b"9" * 5000])
def test_what_is_no_answer_at_all_is_told(server: CannedServer, client: Client, body: bytes) -> None:
    server.answer = answer(200, body)
    with pytest.raises(BadResponse):
        client.infer("m", {"x": X})
    if body != b"{}":
        with pytest.raises(BadResponse):
            client.metadata("m")
    if body != b"[]":
        with pytest.raises(BadResponse):
            client.repository_index()


@pytest.mark.parametrize("length", ["-1", "x", "", "1e3", "99", "9" * 5000, "²"])
def test_a_header_that_lies_about_the_json_is_told(server: CannedServer, client: Client, length: str) -> None:
    sent = f"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ninference-header-content-length: {length}\r\n\r\n{{}}"
    server.answer = raw(sent.encode("latin-1"))
    with pytest.raises(BadResponse):
        client.infer("m", {"x": X})


def test_a_body_without_a_length_goes_to_the_end_of_the_connection(server: CannedServer, client: Client) -> None:
    server.answer = raw(b"HTTP/1.1 200 OK\r\n\r\n[]")
    assert client.repository_index() == ()


def test_a_word_before_the_answer_is_no_answer(server: CannedServer, client: Client) -> None:
    server.answer = raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]")
    assert client.repository_index() == ()


@pytest.mark.parametrize("header", [b"x: " + b"y" * 100_000, b"x: y\r\n" * 20_000])
def test_endless_headers_are_a_bad_response(server: CannedServer, client: Client, header: bytes) -> None:
    server.answer = raw(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n")
    with pytest.raises(BadResponse):
        client.live()
