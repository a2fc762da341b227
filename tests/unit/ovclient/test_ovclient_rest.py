"""REST from the client's side: what it sends, and what it makes of every answer."""

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import grpc
import numpy as np
import pytest

import ovclient
from canned_http import CannedServer, answer, raw
from ovclient import (
    AsyncClient,
    BadResponse,
    Client,
    ClientClosed,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidSetup,
    MessageTooLarge,
    NotFound,
    OVClientError,
    ServerFailure,
    _rest_pool,
)

X = np.zeros(2, np.float32)


@pytest.fixture
def server() -> Iterator[CannedServer]:
    with CannedServer() as server:
        yield server


@pytest.fixture
def client(server: CannedServer) -> Iterator[Client]:
    with Client(server.address, timeout=20) as client:
        yield client


def inference(outputs: list[dict[str, Any]], binary: bytes | None = None) -> Any:
    text = json.dumps({"model_name": "m", "model_version": "1", "outputs": outputs}).encode()
    if binary is None:
        return answer(200, text)
    return answer(200, text + binary, inference_header_content_length=str(len(text)))


def output(**changes: Any) -> dict[str, Any]:
    return {"name": "y", "datatype": "FP32", "shape": [2], **changes}


BINARY = {"parameters": {"binary_data_size": 8}}


# What is sent


def test_tensors_go_as_binary_data_behind_the_json(server: CannedServer, client: Client) -> None:
    server.answer = inference([output(**BINARY)], X.tobytes())
    x = np.array([1, 2], np.float32)
    client.infer("a/b", {"x": x, "t": ["\0é"]}, version=3, outputs=["y"], id="r")
    (heard,) = server.heard
    assert (heard.method, heard.path) == ("POST", "/v2/models/a%2Fb/versions/3/infer")
    assert heard.document == {
        "id": "r",
        "parameters": {"timeout": 20_000_000, "binary_data_output": True},
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            {"name": "t", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 7}},
        ],
        "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
    }
    assert heard.body.endswith(x.tobytes() + b"\3\0\0\0\0\xc3\xa9")


@pytest.mark.parametrize(
    ("timeout", "parameters", "told"),
    [(1.5, {}, 1_500_000), (math.inf, {}, None), (4000, {}, None), (2, {"timeout": 7}, 7)],
)
def test_the_server_is_told_how_long_the_answer_is_of_use(
    server: CannedServer, client: Client, timeout: float, parameters: dict[str, int], told: int | None
) -> None:
    server.answer = inference([])
    client.infer("m", {"x": X}, timeout=timeout, parameters=parameters)
    assert server.heard[0].document["parameters"].get("timeout") == told


def test_a_key_goes_with_each_call(server: CannedServer) -> None:
    with Client(server.address, api_key="s3cret") as client:
        assert client.live()
    assert server.heard[0].headers["authorization"] == "Bearer s3cret"


def test_a_path_in_the_address_stands_before_each_path(server: CannedServer) -> None:
    with Client(f"{server.address}/models/") as client:
        assert client.ready("m")
    assert server.heard[0].path == "/models/v2/models/m/ready"


def test_calls_share_a_connection_and_make_a_new_one_where_the_server_closed_it(
    server: CannedServer, client: Client
) -> None:
    client.live()
    client.ready()
    server.answer = answer(200, connection="close")
    client.live()
    client.live()
    assert [heard.connection for heard in server.heard] == [1, 1, 1, 2]


def test_a_connection_that_rested_long_is_not_used_again(
    server: CannedServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.live()
    client.live()
    monkeypatch.setattr(_rest_pool, "IDLE_S", 0)
    client.live()
    assert [heard.connection for heard in server.heard] == [1, 1, 2]


def test_a_request_that_may_have_had_its_effect_is_not_sent_again(server: CannedServer, client: Client) -> None:
    server.answer = raw(b"")
    with pytest.raises(ConnectionFailed, match=f"lost the connection to {server.address}"):
        client.infer("m", {"x": X})
    assert len(server.heard) == 1


# What is answered


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


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, "InvalidRequest", "INVALID_ARGUMENT"),
        (401, "AccessDenied", "UNAUTHENTICATED"),
        (403, "AccessDenied", "PERMISSION_DENIED"),
        (404, "NotFound", "NOT_FOUND"),
        (405, "Unsupported", "UNIMPLEMENTED"),
        (406, "Unsupported", "UNIMPLEMENTED"),
        (408, "DeadlineExceeded", "DEADLINE_EXCEEDED"),
        (409, "InvalidRequest", "ALREADY_EXISTS"),
        (412, "InvalidRequest", "FAILED_PRECONDITION"),
        (413, "MessageTooLarge", "RESOURCE_EXHAUSTED"),
        (418, "ServerFailure", "UNKNOWN"),
        (429, "Overloaded", "RESOURCE_EXHAUSTED"),
        (500, "ServerFailure", "INTERNAL"),
        (501, "Unsupported", "UNIMPLEMENTED"),
        (503, "NotReady", "UNAVAILABLE"),
        (504, "DeadlineExceeded", "DEADLINE_EXCEEDED"),
    ],
)
def test_each_status_has_its_error_and_the_code_of_grpc(
    server: CannedServer, client: Client, status: int, error: str, code: str
) -> None:
    server.answer = answer(status, b'{"error": "model \'m\' says no"}')
    with pytest.raises(OVClientError) as caught:
        client.infer("m", {"x": X})
    assert type(caught.value) is getattr(ovclient, error)
    assert (str(caught.value), caught.value.code) == ("model 'm' says no", grpc.StatusCode[code])


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"error": 7}', b"[]"])
def test_a_refusal_without_words_still_says_something(server: CannedServer, client: Client, body: bytes) -> None:
    server.answer = answer(500, body)
    with pytest.raises(ServerFailure, match="answered 500 Internal Server Error without a word"):
        client.metadata("m")


def test_a_pipeline_that_found_nothing_is_a_failure_as_over_grpc(server: CannedServer, client: Client) -> None:
    server.answer = raw(b"HTTP/1.1 204 No Content\r\n\r\n")
    with pytest.raises(ServerFailure) as caught:
        client.infer("m", {"x": X})
    assert caught.value.code is grpc.StatusCode.ABORTED


def test_nobody_is_followed_elsewhere(server: CannedServer, client: Client) -> None:
    server.answer = answer(302, location=f"{server.address}/elsewhere")
    with pytest.raises(BadResponse, match="answered 302 Found, which is no answer of this protocol"):
        client.metadata("m")
    assert len(server.heard) == 1


@pytest.mark.parametrize(("status", "is_ready"), [(200, True), (400, False), (404, False), (503, False)])
def test_readiness_of_a_model_is_the_status(server: CannedServer, client: Client, status: int, is_ready: bool) -> None:
    server.answer = answer(status, b'{"error": "no"}' if status != 200 else b"")
    assert client.ready("m") is is_ready


def test_a_server_of_something_else_is_not_live(server: CannedServer, client: Client) -> None:
    server.answer = answer(404, b"<html>")
    with pytest.raises(NotFound):
        client.live()


# What goes wrong on the way


@pytest.mark.parametrize("sent", [b"junk\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 100_000])
def test_what_is_no_http_is_a_bad_response(server: CannedServer, client: Client, sent: bytes) -> None:
    server.answer = raw(sent)
    with pytest.raises(BadResponse, match=f"the answer of {server.address} is no HTTP"):
        client.live()


@pytest.mark.parametrize("head", [b"content-length: 9\r\n\r\n{}", b"transfer-encoding: chunked\r\n\r\n5\r\n{"])
def test_an_answer_that_breaks_off_is_a_lost_connection(server: CannedServer, client: Client, head: bytes) -> None:
    server.answer = raw(b"HTTP/1.1 200 OK\r\n" + head)
    with pytest.raises(ConnectionFailed, match="lost the connection"):
        client.metadata("m")
    server.answer = answer(200)
    assert client.live()


def test_no_server_names_the_address_and_is_a_connection_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets this port, and nobody answers
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(address) as client, pytest.raises(ConnectionFailed) as caught:
            client.live()
    assert str(caught.value) == f"could not connect to {address}: [Errno 111] Connection refused"
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_a_name_that_cannot_be_is_a_failed_connection() -> None:
    with (
        Client("http://a..b:1") as client,
        pytest.raises(ConnectionFailed, match=r"could not connect to http://a\.\.b:1"),
    ):
        client.live()


def test_a_server_that_says_nothing_is_waited_for_as_long_as_told(server: CannedServer, client: Client) -> None:
    over = threading.Event()
    server.answer = lambda _: over.wait(60) and None
    began_s = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=f"no answer from {server.address} within 0.3 s"):
        client.infer("m", {"x": X}, timeout=0.3)
    assert time.monotonic() - began_s < 10
    over.set()
    server.answer = answer(200)
    assert client.live()


def test_a_server_that_reads_nothing_is_not_waited_for_either() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        Client(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=0.3) as client,
        pytest.raises(DeadlineExceeded),
    ):
        client.infer("m", {"x": np.zeros(5_000_000, np.float32)})


def test_a_client_may_be_very_patient(client: Client) -> None:
    assert client.live(timeout=1e15)


def test_a_server_that_answers_drop_by_drop_is_not_waited_for_either(server: CannedServer, client: Client) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b" ")

    server.answer = drip
    with pytest.raises(DeadlineExceeded):
        client.metadata("m", timeout=0.5)
    over.set()


def test_close_ends_calls_under_way(server: CannedServer, client: Client) -> None:
    heard, over = threading.Event(), threading.Event()

    def never(_handler: BaseHTTPRequestHandler) -> None:
        heard.set()
        over.wait(60)

    server.answer = never
    failures: list[Exception] = []

    def ask() -> None:
        try:
            client.metadata("m")
        except OVClientError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert heard.wait(30)
    client.close()
    thread.join(30)
    over.set()
    assert [(type(one), str(one)) for one in failures] == [(ClientClosed, "the client was closed during the call")]
    with pytest.raises(ClientClosed, match="the client is closed"):
        client.live()


def test_messages_have_a_limit_in_both_directions(server: CannedServer) -> None:
    with Client(server.address, max_message_bytes=1000) as client:
        server.answer = answer(200, b" " * 1001)
        with pytest.raises(MessageTooLarge, match="the answer is larger than max_message_bytes, 1000"):
            client.metadata("m")
        with pytest.raises(MessageTooLarge, match=r"a request of \d+ bytes is larger"):
            client.infer("m", {"x": np.zeros(250, np.float32)})
        assert len(server.heard) == 1


# Settings


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://:80",
        "http://a:x",
        "http://a:70000",
        "http://a:0",
        "http://u:p@a",
        "http://a/?b",
        "http://[::1",
    ],
)
def test_an_address_that_cannot_be_asked_is_refused_at_once(address: str) -> None:
    with pytest.raises(InvalidSetup, match="address must be http://host:port"):
        Client(address)


def test_tls_is_the_schemes_business() -> None:
    with pytest.raises(InvalidSetup, match="tls is on, but http://a is plain HTTP: write https://"):
        Client("http://a", tls=True)
    with pytest.raises(InvalidSetup, match="certificates were given, but tls is off: write https://"):
        Client("http://a", server_cert="ca.pem")


def test_the_async_client_says_that_it_speaks_grpc_only() -> None:
    with pytest.raises(InvalidSetup, match="AsyncClient speaks gRPC only, got http://a:1"):
        AsyncClient("http://a:1")
