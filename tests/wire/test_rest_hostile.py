"""Requests over HTTP that are meant to hurt: each is refused with its status, and the server goes on."""

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from http_door import HttpDoor, with_binary
from ovserve.core import Core
from ovserve.frontends.rest.server import RestServer
from server_process import ServerProcess

MOST_BYTES = 1 << 20
GOOD = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}]}).encode()
PATH = b"/v2/models/grow/infer"


def head(*headers: bytes, method: bytes = b"POST", path: bytes = PATH) -> bytes:
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: x", *headers, b"", b""))


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(scope="module")
def small(core: Core) -> Iterator[str]:
    """The address of a server that takes bodies of 1 MiB, and waits half a second for them."""
    parts = (core.dataplane, core.control, core.registry, core.shared_memory)
    server = RestServer(*parts, max_body_bytes=MOST_BYTES, patience_s=0.5)
    (address,) = server.bind(["127.0.0.1"], 0)
    server.start()
    yield address
    server.stop(5)


@pytest.fixture
def tight(small: str) -> Iterator[HttpDoor]:
    door = HttpDoor(small)
    yield door
    assert door.infer("grow", GOOD).status == 200
    door.assert_probes("grow")
    door.close()


def test_a_body_announced_as_too_large_is_refused_before_it_comes(tight: HttpDoor) -> None:
    answer = tight.raw(head(b"Content-Length: 1048577"))
    assert status_of(answer) == 413
    assert b"the body is larger than 1048576 bytes, which --rest_max_body_bytes allows" in answer


def test_a_body_of_many_parts_is_refused_as_soon_as_it_is_too_large(tight: HttpDoor) -> None:
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert status_of(tight.raw(head(b"Transfer-Encoding: chunked") + part * 17)) == 413


def test_the_client_that_sends_it_all_nevertheless_gets_the_answer(tight: HttpDoor) -> None:
    assert tight.infer("grow", b" " * (32 << 20)).status == 413


def test_a_body_of_the_largest_size_is_taken(tight: HttpDoor) -> None:
    assert tight.infer("grow", GOOD.ljust(MOST_BYTES)).status == 200
    assert tight.infer("grow", GOOD.ljust(MOST_BYTES + 1)).status == 413


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_body_that_grows_too_large_is_refused(
    tight: HttpDoor, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    answer = tight.infer("grow", compress(b" " * (100 << 20)), {"Content-Encoding": encoding})
    assert answer.status == 413
    assert tight.infer("grow", compress(GOOD), {"Content-Encoding": encoding}).status == 200


@pytest.mark.parametrize("harm", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[:9] + b"\xff"])
def test_a_harmed_compressed_body_is_refused(tight: HttpDoor, harm: Callable[[bytes], bytes]) -> None:
    answer = tight.infer("grow", harm(gzip.compress(GOOD)), {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "as its Content-Encoding says" in answer.error


def test_a_body_that_does_not_come_is_given_up(tight: HttpDoor) -> None:
    began_s = time.monotonic()
    answer = tight.raw(head(b"Content-Length: 100") + GOOD[:50])
    assert status_of(answer) == 408
    assert b"the body did not arrive within 0.5 s" in answer
    assert time.monotonic() - began_s < 20


def test_a_body_that_drips_is_given_up_too(tight: HttpDoor) -> None:
    with socket.create_connection((tight.host, tight.port), 60) as connection:
        connection.sendall(head(b"Content-Length: 100000"))
        connection.settimeout(0.05)
        answer = b""
        began_s = time.monotonic()
        while not answer and time.monotonic() - began_s < 30:
            connection.sendall(b" ")
            try:
                answer = connection.recv(1000)
            except TimeoutError:
                continue
    assert status_of(answer) == 408


@pytest.mark.parametrize("sent", [b"", b"POST ", head()[:-2]])
def test_a_head_that_does_not_come_is_given_up(tight: HttpDoor, sent: bytes) -> None:
    assert status_of(tight.raw(sent)) == 408


def test_a_head_that_does_not_end_is_refused(tight: HttpDoor) -> None:
    lines = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(2000))
    with socket.create_connection((tight.host, tight.port), 60) as connection:
        try:
            connection.sendall(head()[:-2] + lines)
            answer = connection.recv(1000)
        except ConnectionError:
            return  # it was refused while we still sent
    assert status_of(answer) == 431


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        head(path="/v2/models/é".encode(), method=b"GET"),
        head(b"Content-Length: 1", b"Content-Length: 2"),
        head(b"Content-Length: -1"),
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        head(b"Transfer-Encoding: chunked") + b"zz\r\n",
    ],
)
def test_what_is_no_http_ends_the_connection(tight: HttpDoor, sent: bytes) -> None:
    assert status_of(tight.raw(sent)) in {400, 408}


def test_a_body_longer_than_announced_ends_the_connection(tight: HttpDoor) -> None:
    assert b"HTTP/1.1 400" in tight.raw(head(b"Content-Length: %d" % len(GOOD)) + GOOD + b"garbage\r\n\r\n")


def test_requests_sent_at_once_are_answered_in_turn(tight: HttpDoor) -> None:
    request = head(b"Content-Length: %d" % len(GOOD)) + GOOD
    last = head(b"Content-Length: %d" % len(GOOD), b"Connection: close") + GOOD
    answer = tight.raw(request * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 4


def test_a_client_that_offers_http_2_is_answered_over_http_1(tight: HttpDoor) -> None:
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAA")
    with socket.create_connection((tight.host, tight.port), 60) as connection:
        connection.sendall(head(b"Content-Length: %d" % len(GOOD), *offer) + GOOD)
        assert status_of(connection.recv(1000)) == 200


def test_a_client_that_waits_to_be_told_to_go_on_is_told(tight: HttpDoor) -> None:
    with socket.create_connection((tight.host, tight.port), 60) as connection:
        connection.sendall(head(b"Content-Length: %d" % len(GOOD), b"Expect: 100-continue"))
        assert status_of(connection.recv(1000)) == 100
        connection.sendall(GOOD)
        assert status_of(connection.recv(1000)) == 200


def test_clients_that_leave_in_the_middle_harm_nobody(server: ServerProcess, door: HttpDoor) -> None:
    binary, headers = with_binary(
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1000]}]}, np.ones(1000, np.float32).tobytes()
    )
    length = b"Inference-Header-Content-Length: " + headers["Inference-Header-Content-Length"].encode()
    whole = head(b"Content-Length: %d" % len(binary), length) + binary
    for at in range(0, len(whole), 97):
        with socket.create_connection((door.host, door.port), 60) as connection:
            connection.sendall(whole[:at])
    with socket.create_connection((door.host, door.port), 60) as connection:
        connection.sendall(whole)
    assert server.process.poll() is None


def test_many_clients_that_stall_do_not_keep_others_waiting(server: ServerProcess, door: HttpDoor) -> None:
    stalled = [socket.create_connection((door.host, door.port), 60) for _ in range(200)]
    for connection in stalled:
        connection.sendall(head(b"Content-Length: 100") + b"{")
    began_s = time.monotonic()
    assert door.infer("grow", GOOD).status == 200
    assert time.monotonic() - began_s < 10
    for connection in stalled:
        connection.close()


def test_random_bytes_in_good_requests_never_harm_the_server(server: ServerProcess, door: HttpDoor) -> None:
    random = np.random.default_rng(7)
    for _ in range(300):
        body = bytearray(GOOD)
        for at in random.integers(0, len(body), 3):
            body[at] = random.integers(0, 256)
        assert door.infer("grow", bytes(body)).status in {200, 400}


def test_thirty_two_clients_at_once_are_each_answered(server: ServerProcess, door: HttpDoor) -> None:
    statuses: list[int] = []

    def ask() -> None:
        own = HttpDoor(server.rest_address)
        statuses.extend(own.infer("grow", GOOD).status for _ in range(20))
        own.close()

    clients = [threading.Thread(target=ask) for _ in range(32)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert statuses == [200] * 640


def test_what_was_sent_is_not_in_the_log(server: ServerProcess, door: HttpDoor, tmp_path: Path) -> None:
    door.infer("grow", b'{"secret-of-mine": ')
    assert "secret-of-mine" not in server.log
