"""Both clients over REST and a server that is slow, full or gone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_models
from ovclient import (
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    Overloaded,
)
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]
X = np.zeros((1, 4), np.float32)


@pytest.fixture
def server(serve: Serve, repository: Path) -> ServerProcess:
    small_models.save(small_models.add_one([-1, 4]), repository / "m/1")
    small_models.save(small_models.slow(), repository / "slow/1")
    return serve("--model_repository", str(repository), rest=True)


@pytest.fixture
def client(server: ServerProcess, twin: Any) -> Iterator[Client]:
    with twin(f"http://{server.rest_address}") as client:
        yield client


def test_an_answer_that_takes_too_long_is_not_waited_for(client: Client) -> None:
    with pytest.raises(DeadlineExceeded):
        client.infer("slow", np.array(5000), timeout=0.2)
    assert client.infer("m", X)["y"].tolist() == [[1, 1, 1, 1]]


def test_a_full_queue_is_overload(twin: Any, serve: Serve, repository: Path) -> None:
    small_models.save(small_models.slow(), repository / "slow/1")
    server = serve("--model_repository", str(repository), "--nireq", "1", "--max_queue", "1", rest=True)
    with twin(f"http://{server.rest_address}") as client, ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(client.infer, "slow", np.array(2000)) for _ in range(6)]
        failures = [type(one.exception()) for one in asked if one.exception() is not None]
    assert failures
    assert set(failures) == {Overloaded}


def test_a_server_that_goes_away_is_a_lost_connection_and_then_none(twin: Any, serve: Serve, repository: Path) -> None:
    small_models.save(small_models.slow(), repository / "slow/1")
    server = serve("--model_repository", str(repository), rest=True)
    with twin(f"http://{server.rest_address}") as client, ThreadPoolExecutor(1) as threads:
        client.infer("slow", np.array(1))
        asked = threads.submit(client.infer, "slow", np.array(100_000))
        ended = threading.Event()
        asked.add_done_callback(lambda _: ended.set())
        assert not ended.wait(0.3)
        server.stop(9)
        with pytest.raises(ConnectionFailed, match="lost the connection to http://127"):
            asked.result(60)
        with pytest.raises(ConnectionFailed, match="could not connect to http://127"):
            client.live()
