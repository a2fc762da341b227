import socket
import threading

import grpc
import numpy as np
import pytest

import ovclient
from ovclient import Client, ConnectionFailed, DeadlineExceeded, MessageTooLarge, OVClientError, ServerFailure
from ovclient._status import error_of
from ovclient.testing import FakeServer


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_ARGUMENT", "InvalidRequest"),
        ("OUT_OF_RANGE", "InvalidRequest"),
        ("FAILED_PRECONDITION", "InvalidRequest"),
        ("NOT_FOUND", "NotFound"),
        ("UNAVAILABLE", "NotReady"),
        ("RESOURCE_EXHAUSTED", "Overloaded"),
        ("UNAUTHENTICATED", "AccessDenied"),
        ("PERMISSION_DENIED", "AccessDenied"),
        ("UNIMPLEMENTED", "Unsupported"),
        ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
        ("INTERNAL", "ServerFailure"),
        ("UNKNOWN", "ServerFailure"),
        ("ABORTED", "ServerFailure"),
        ("CANCELLED", "ServerFailure"),
    ],
)
def test_each_status_has_its_error_and_keeps_its_code(
    server: FakeServer, client: Client, code: str, error: str
) -> None:
    server.fail("ModelInfer", grpc.StatusCode[code], "model 'echo' says no")
    with pytest.raises(OVClientError) as caught:
        client.infer("echo", {})
    assert type(caught.value) is getattr(ovclient, error)
    assert caught.value.code is grpc.StatusCode[code]
    if error != "DeadlineExceeded":
        assert str(caught.value) == "model 'echo' says no"


def test_a_failure_without_words_still_says_something(server: FakeServer, client: Client) -> None:
    server.fail("ServerLive", grpc.StatusCode.INTERNAL)
    with pytest.raises(ServerFailure, match="answered INTERNAL without a word"):
        client.live()


def test_no_server_names_the_address_and_is_a_connection_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets this port, and nobody answers
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            Client(address) as client,
            pytest.raises(ConnectionFailed, match=f"could not connect to {address}: .*efused"),
        ):
            client.live()
    assert issubclass(ConnectionFailed, ConnectionError)


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ("errors resolving no:1: [Domain name not found]", "could not connect to no:1: errors resolving no:1: [Domain"),
        (
            "failed to connect to all addresses; last error: UNKNOWN: refused",
            "could not connect to no:1: UNKNOWN: refused",
        ),
        ("Socket closed", "lost the connection to no:1: Socket closed"),
        ("recvmsg:Connection reset by peer", "lost the connection to no:1: recvmsg:Connection reset by peer"),
    ],
)
def test_unavailable_without_a_servers_word_is_the_connection(details: str, sentence: str) -> None:
    error = error_of(grpc.StatusCode.UNAVAILABLE, details, "no:1", 1.0)
    assert type(error) is ConnectionFailed
    assert str(error).startswith(sentence)


def test_a_server_that_goes_away_during_the_call_is_a_lost_connection(server: FakeServer, client: Client) -> None:
    started, release = threading.Event(), threading.Event()
    server.add_model("slow", lambda _: {"y": [started.set(), release.wait(30)]})
    stopper = threading.Thread(target=lambda: (started.wait(20), server.stop()))
    stopper.start()
    with pytest.raises(ConnectionFailed, match=f"lost the connection to {server.address}"):
        client.infer("slow", {})
    release.set()
    stopper.join()


def test_a_late_answer_names_the_address_and_the_seconds(server: FakeServer, client: Client) -> None:
    release = threading.Event()
    server.add_model("slow", lambda _: {"y": [release.wait(30)]})
    with pytest.raises(DeadlineExceeded, match=f"^no answer from {server.address} within 0.2 s$"):
        client.infer("slow", {}, timeout=0.2)
    release.set()
    assert issubclass(DeadlineExceeded, TimeoutError)


def test_an_answer_over_the_clients_limit_is_too_large_not_overload(server: FakeServer) -> None:
    server.add_model("big", lambda _: {"y": np.zeros(2000, np.uint8)})
    with Client(server.address, max_message_bytes=1000) as client, pytest.raises(MessageTooLarge, match="larger than"):
        client.infer("big", {})


def test_a_request_over_the_clients_limit_is_too_large(server: FakeServer) -> None:
    with Client(server.address, max_message_bytes=1000) as client, pytest.raises(MessageTooLarge, match="larger than"):
        client.infer("echo", {"x": np.zeros(2000, np.uint8)})
