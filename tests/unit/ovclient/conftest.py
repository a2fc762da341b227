from collections.abc import Iterator

import pytest

from ovclient import Client
from ovclient.testing import FakeServer
from ovclient_command import Run, against


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
    return against(capfd, ["--grpc_port", str(server.port)])
