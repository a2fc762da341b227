"""What goes wrong on the way over REST, for both clients."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import grpc
import numpy as np
import pytest

from canned_http import CannedServer, answer, raw
from ovclient import BadResponse, Client, ClientClosed, ConnectionFailed, DeadlineExceeded, OVClientError

X = np.zeros(2, np.float32)


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


def test_no_server_names_the_address_and_is_a_connection_error(twin: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets this port, and nobody answers
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with twin(address) as client, pytest.raises(ConnectionFailed) as caught:
            client.live()
    assert str(caught.value) == f"could not connect to {address}: [Errno 111] Connection refused"
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_a_name_that_cannot_be_is_a_failed_connection(twin: Any) -> None:
    with (
        twin("http://a..b:1") as client,
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


def test_a_server_that_reads_nothing_is_not_waited_for_either(twin: Any) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        twin(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=0.3) as client,
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
