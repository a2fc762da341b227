import asyncio
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from ovclient import AsyncClient, Client, InvalidSetup
from ovclient.bench.orders import Setup
from ovclient.cli import run as run_command
from ovclient.cli.connection import Connection
from ovclient.testing._service import FakeService
from ovclient_command import Run

SECRET = "s3cr3t-key"  # noqa: S105 - nobody's


class Listener(grpc.ServerInterceptor):
    """Notes what each call has in its metadata for the server to know it by."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        self.heard.append(dict(details.invocation_metadata).get("authorization"))
        return continuation(details)


@contextmanager
def listening() -> Iterator[tuple[str, Listener]]:
    listener = Listener()
    server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[listener])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(FakeService(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", listener
    server.stop(0).wait()


def test_the_key_goes_with_every_call() -> None:
    with listening() as (address, listener), Client(address, api_key=SECRET) as client:
        client.live()
        client.repository_index()
    assert listener.heard == [f"Bearer {SECRET}"] * 2


def test_the_key_goes_with_every_call_of_the_asynchronous_client() -> None:
    async def ask(address: str) -> None:
        async with AsyncClient(address, api_key=SECRET) as client:
            await client.live()

    with listening() as (address, listener):
        asyncio.run(ask(address))
    assert listener.heard == [f"Bearer {SECRET}"]


def test_without_a_key_none_is_sent() -> None:
    with listening() as (address, listener), Client(address) as client:
        client.live()
    assert listener.heard == [None]


@pytest.mark.parametrize("key", ["", "two words", "line\n", "sch\u00f6n", "\x00"])
def test_what_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidSetup) as refused:
        Client(api_key=key)
    assert str(refused.value) == "api_key must be printable ASCII without spaces"


def test_the_command_takes_the_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVCLIENT_API_KEY", SECRET)
    with listening() as (address, listener):
        host, _, port = address.rpartition(":")
        assert run_command(["live", "--grpc_address", host, "--grpc_port", port]) == 0
    assert listener.heard == [f"Bearer {SECRET}"]


@pytest.mark.parametrize("arguments", [("live", "--help"), ("live", "--grpc_port", "x"), ("live", "--api_key")])
def test_help_and_errors_do_not_show_the_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("OVCLIENT_API_KEY", SECRET)
    done = run(*arguments)
    assert SECRET not in done.out + done.err


def test_no_value_shows_the_key() -> None:
    connection = Connection(api_key=SECRET)
    assert SECRET not in repr(connection) + repr(Setup(connection.settings(), ()))
