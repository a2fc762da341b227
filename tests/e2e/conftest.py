from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from looped_client import LoopedClient
from ovclient import Client
from server_process import ServerProcess
from watched import Watched

Serve = Callable[..., ServerProcess]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


@pytest.fixture
def watched(serve: Serve, repository: Path) -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def start(*arguments: str) -> Watched:
        started.append(Watched(serve("--model_repository", str(repository), *arguments)))
        return started[-1]

    yield start
    for one in started:
        one.client.close()


@pytest.fixture(params=[Client, LoopedClient], ids=["threads", "asyncio"])
def twin(request: pytest.FixtureRequest) -> Any:
    """Both clients: what is said of one goes for its twin."""
    return request.param
