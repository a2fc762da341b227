"""What one client or many may take of the gRPC server; whatever they try, it goes on."""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import small_models
from ovclient import Client, ConnectionFailed, OVClientError
from server_process import ServerProcess
from watched import Watched
from wire_server import Wire, answer, request

Serve = Callable[..., ServerProcess]

X = np.zeros(2, np.float32)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")  # and empty SETTINGS


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limits")
    small_models.save(small_models.add_one([2]), folder / "m/1")
    return folder


@pytest.fixture(scope="module")
def shared_server(root: Path) -> Iterator[ServerProcess]:
    server = ServerProcess("--model_repository", str(root), "--grpc_max_message_bytes", "100000")
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


def assert_well(server: ServerProcess) -> None:
    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    with Client(server.address) as client, grpc.insecure_channel(server.address, own) as channel:
        assert client.infer("m", X)["y"].tolist() == [1, 1]
        assert client.live()
        assert client.ready()
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
        assert health.status == health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def server(shared_server: ServerProcess) -> Iterator[ServerProcess]:
    yield shared_server
    assert_well(shared_server)


@pytest.mark.parametrize("said", [b"", PREFACE[:10], PREFACE], ids=["silent", "half a greeting", "greeted"])
def test_500_idle_connections_disturb_nobody(server: ServerProcess, said: bytes) -> None:
    with ExitStack() as idle:
        for _ in range(500):
            connection = idle.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(said)
        assert_well(server)


def few_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))


def test_a_system_that_gives_few_open_files_is_asked_for_more(serve: Serve, root: Path) -> None:
    server = serve("--model_repository", str(root), prepare=few_open_files)
    with ExitStack() as idle:
        for _ in range(200):
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert_well(server)


@pytest.mark.parametrize(
    ("said", "argument"),
    [(b"", "grpc.server_handshake_timeout_ms=300"), (PREFACE, "grpc.max_connection_idle_ms=300")],
    ids=["silent", "idle"],
)
def test_connections_that_do_nothing_are_closed_in_time(serve: Serve, root: Path, said: bytes, argument: str) -> None:
    server = serve("--model_repository", str(root), "--grpc_channel_arguments", argument)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(said)
        while connection.recv(1000):
            pass
    assert_well(server)


def test_a_message_that_is_too_large_is_refused(server: ServerProcess) -> None:
    wire = Wire(server.address)
    answer = wire.infer(request("m", {"x": np.zeros(50_000, np.float32)}))
    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    wire.close()


def test_a_message_that_unpacks_to_too_much_is_refused(server: ServerProcess) -> None:
    wire = Wire(server.address)
    bomb = request("m", {"x": np.zeros(25 << 20, np.float32)}).SerializeToString()
    infer = wire.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    refused = answer(infer.future(bomb, timeout=60, compression=grpc.Compression.Gzip))
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    wire.close()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def half_a_request() -> bytes:
    """A call of ModelInfer that announces 1000 bytes and sends ten of them."""
    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/inference.GRPCInferenceService/ModelInfer",
        b":authority": b"localhost",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    block = b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in headers.items())
    message = b"\0" + (1000).to_bytes(4) + bytes(10)
    return PREFACE + frame(1, 4, 1, block) + frame(0, 0, 1, message)


def test_200_clients_that_stall_in_the_middle_of_a_message_disturb_nobody(server: ServerProcess) -> None:
    with ExitStack() as stalled:
        for _ in range(200):
            connection = stalled.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
            connection.sendall(half_a_request())
            assert connection.recv(1000)
        assert_well(server)


def test_headers_that_are_too_large_are_refused(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.address) as channel:
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        with pytest.raises(grpc.RpcError) as refused:
            live(b"", metadata=(("authorization", "Bearer " + "x" * 20_000),), timeout=30)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_more_connections_than_allowed_are_refused_and_those_there_go_on(serve: Serve, root: Path) -> None:
    small = serve("--model_repository", str(root), "--grpc_max_connections", "3")
    with ExitStack() as connected:
        clients = [connected.enter_context(Client(small.address)) for _ in range(3)]
        assert [client.live() for client in clients] == [True] * 3
        with Client(small.address) as late, pytest.raises(ConnectionFailed):
            late.live()
        assert [client.infer("m", X)["y"].tolist() for client in clients] == [[1, 1]] * 3
    watched = Watched(small)
    watched.wait(lambda: is_live(small), "waiting for a connection to be given to somebody else")
    watched.client.close()


def is_live(server: ServerProcess) -> bool:
    with Client(server.address) as client:
        try:
            return client.live()
        except OVClientError:
            return False


def test_more_calls_on_one_connection_than_allowed_wait(serve: Serve, root: Path) -> None:
    server = serve("--model_repository", str(root), "--grpc_max_concurrent_streams", "2")
    with grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watching = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
        for watch in watching:
            next(watch)
        with pytest.raises(grpc.RpcError) as refused:
            health.Check(health_pb2.HealthCheckRequest(), timeout=1)
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert_well(server)
        for watch in watching:
            watch.cancel()
