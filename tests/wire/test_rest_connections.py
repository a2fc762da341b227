"""How many connections REST takes, who makes room for others, and which of them end by themselves."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import small_models
from http_door import HttpDoor, with_binary
from ovserve.core import Core
from ovserve.frontends.rest.server import RestServer
from server_process import ServerProcess

GOOD = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}]}
UNFINISHED = b"POST /v2/models/grow/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
PROBES = ("/v2/health/live", "/v2/health/ready", "/v2/models/grow/ready")
FULL = "3 connections are being answered, as many as --rest_max_connections allows"

Start = Callable[..., str]


@pytest.fixture
def start(core: Core) -> Iterator[Start]:
    """Start a server that takes three connections, and return its address."""
    servers = []

    def start(**options: float) -> str:
        parts = (core.dataplane, core.control, core.registry, core.shared_memory)
        servers.append(RestServer(*parts, max_body_bytes=1 << 26, max_connections=3, **options))
        (address,) = servers[-1].bind(["127.0.0.1"], 0)
        servers[-1].start()
        return address

    yield start
    for server in servers:
        server.stop(0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(stack: ExitStack, address: str) -> HttpDoor:
    door = HttpDoor(address)
    stack.callback(door.close)
    return door


def stall(stack: ExitStack, address: str) -> socket.socket:
    """Begin a request that is being answered for as long as its body does not come."""
    host, _, port = address.rpartition(":")
    connection = stack.enter_context(socket.create_connection((host, int(port)), 60))
    connection.sendall(UNFINISHED.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    return connection


def is_ended(connection: socket.socket) -> bool:
    connection.settimeout(60)
    return connection.recv(1) == b""


def assert_well(address: str) -> None:
    door = HttpDoor(address)
    assert door.infer("grow", GOOD).json["outputs"][0]["data"] == [2, 3]
    assert [door.get(probe).status for probe in PROBES] == [200] * 3
    door.close()


def test_one_more_than_can_be_answered_is_told_so(start: Start, stack: ExitStack) -> None:
    address = start()
    busy = [stall(stack, address) for _ in range(3)]
    for _ in range(100):
        late = connect(stack, address)
        answer = late.infer("grow", GOOD)
        assert (answer.status, answer.error, answer.headers["connection"]) == (503, FULL, "close")
    busy[0].sendall(b" " * 99)
    assert b"HTTP/1.1 400 " in busy[0].recv(1000)
    assert_well(address)


def test_a_large_body_without_a_place_gets_the_answer_too(start: Start, stack: ExitStack) -> None:
    address = start()
    for _ in range(3):
        stall(stack, address)
    assert connect(stack, address).infer("grow", b" " * (8 << 20)).error == FULL


def test_probes_are_answered_where_nobody_else_is(start: Start, stack: ExitStack) -> None:
    address = start()
    for _ in range(3):
        stall(stack, address)
    for probe in PROBES * 40:
        answer = connect(stack, address).get(probe)
        assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_who_says_nothing_without_a_place_keeps_no_probe_out(start: Start, stack: ExitStack) -> None:
    address = start()
    for _ in range(3):
        stall(stack, address)
    host, _, port = address.rpartition(":")
    for _ in range(300):
        stack.enter_context(socket.create_connection((host, int(port))))
    assert [connect(stack, address).get(probe).status for probe in PROBES] == [200] * 3


def test_the_connection_that_waited_longest_makes_room(start: Start, stack: ExitStack) -> None:
    address = start()
    first, second, third = (connect(stack, address) for _ in range(3))
    for door in (first, second, third, first):
        assert door.infer("grow", GOOD).status == 200
    assert connect(stack, address).infer("grow", GOOD).status == 200
    for door in (first, third):
        assert door.infer("grow", GOOD).status == 200
    with pytest.raises((ConnectionError, OSError)):
        second.infer("grow", GOOD)


def test_500_silent_connections_take_no_place_from_those_that_ask(start: Start, stack: ExitStack) -> None:
    address = start()
    host, _, port = address.rpartition(":")
    silent = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(500)]
    assert_well(address)
    assert is_ended(silent[0])


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /v2", b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["silent", "half a head", "asked"],
)
def test_500_idle_connections_disturb_nobody(server: ServerProcess, stack: ExitStack, said: bytes) -> None:
    for _ in range(500):
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.rest_port), 60))
        idle.sendall(said)
    assert_well(server.rest_address)


def test_who_makes_room_gets_what_was_answered(start: Start, stack: ExitStack) -> None:
    address = start()
    x = np.arange(1 << 22, dtype=np.float32)
    document = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [x.size]}],
        "parameters": {"binary_data_output": True},
    }
    body, headers = with_binary(document, x.tobytes())
    length = headers["Inference-Header-Content-Length"].encode()
    head = b"POST /v2/models/grow/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: %b\r\n" % length
    host, _, port = address.rpartition(":")
    slow = stack.enter_context(socket.create_connection((host, int(port)), 60))
    slow.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    got = slow.recv(10)
    others = [connect(stack, address) for _ in range(6)]
    assert [door.infer("grow", GOOD).status for door in others] == [200] * 6
    while len(got) < x.nbytes and (part := slow.recv(1 << 20)):
        got += part
    assert np.array_equal(np.frombuffer(got[-x.nbytes :], np.float32), x + 1)


def test_an_idle_connection_is_closed_in_time(start: Start, stack: ExitStack) -> None:
    address = start(keep_alive_s=1)
    host, _, port = address.rpartition(":")
    idle = stack.enter_context(socket.create_connection((host, int(port)), 60))
    idle.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert is_ended(idle)
    assert_well(address)


@pytest.mark.parametrize("rest", [b"x", b"x" * 99, b"x" * 99 + b"GET"], ids=["half", "whole", "and more"])
def test_a_body_that_nobody_waited_for_keeps_no_connection(start: Start, stack: ExitStack, rest: bytes) -> None:
    address = start(patience_s=0.5)
    host, _, port = address.rpartition(":")
    idle = stack.enter_context(socket.create_connection((host, int(port)), 60))
    idle.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    assert idle.recv(1000).startswith(b"HTTP/1.1 404 ")
    idle.sendall(b"x" + rest)
    while idle.recv(1000):
        pass
    assert_well(address)


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "the request is not valid HTTP/1.1"),
        (b"GET /v2 HTTP/1.1\r\nx: ".ljust((64 << 10) + 1, b"y"), 431, "the headers exceed 65536 bytes"),
        (b"GET /v2", 408, "no whole request came within 0.5 s"),
    ],
)
def test_what_never_becomes_a_request_is_refused_in_json(start: Start, sent: bytes, status: int, sentence: str) -> None:
    address = start(patience_s=0.5)
    head, _, body = HttpDoor(address).raw(sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/json" in head
    assert json.loads(body) == {"error": sentence}
    assert_well(address)


def test_the_flag_bounds_the_servers_connections(tmp_path: Path, stack: ExitStack) -> None:
    small_models.save(small_models.add_one([-1]), tmp_path / "grow/1")
    server = ServerProcess("--model_repository", str(tmp_path), "--rest_max_connections", "3", rest=True)
    for _ in range(3):
        stall(stack, server.rest_address)
    assert connect(stack, server.rest_address).infer("grow", GOOD).error == FULL
    stack.close()
    assert_well(server.rest_address)
    assert server.stop() == 0
