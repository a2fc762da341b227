from collections.abc import Iterator

import pytest

from ovclient import Client
from ovclient.cli import run as run_command
from ovclient.testing import FakeServer
from ovclient_command import Done, Run


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        server.add_model("echo", lambda inputs: inputs, inputs={"x": ("FP32", [-1])}, outputs={"x": ("FP32", [-1])})
        yield server


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.address, timeout=20) as client:
        yield client


@pytest.fixture
def run(server: FakeServer, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `ovclient` with these arguments against the fake server."""

    def command(*arguments: str) -> Done:
        capfd.readouterr()
        code = run_command([*arguments, "--grpc_port", str(server.port)])
        return Done(code, *capfd.readouterr())

    return command
