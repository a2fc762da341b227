from collections.abc import Iterator
from typing import Any

import pytest

from canned_http import CannedServer
from looped_client import LoopedClient
from ovclient import Client


@pytest.fixture
def server() -> Iterator[CannedServer]:
    with CannedServer() as server:
        yield server


@pytest.fixture(params=[Client, LoopedClient], ids=["threads", "asyncio"])
def twin(request: pytest.FixtureRequest) -> Any:
    """Both clients, since all that is said of one goes for its twin."""
    return request.param


@pytest.fixture
def client(server: CannedServer, twin: Any) -> Iterator[Client]:
    with twin(server.address, timeout=20) as client:
        yield client
