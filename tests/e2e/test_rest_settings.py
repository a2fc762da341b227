"""Triton's settings of log and trace over REST: those of gRPC, behind another door."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http as triton

import small_models
from http_door import HttpDoor
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]

TRACE_PATHS = ("/v2/trace/setting", "/v2/models/m/trace/setting", "/v2/models/m/versions/1/trace/setting")


@pytest.fixture
def server(serve: Serve, repository: Path) -> ServerProcess:
    small_models.save(small_models.add_one([2]), repository / "m/1")
    return serve("--model_repository", str(repository), rest=True)


@pytest.fixture
def client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.rest_address) as client:
        yield client


@pytest.fixture
def door(server: ServerProcess) -> Iterator[HttpDoor]:
    door = HttpDoor(server.rest_address)
    yield door
    door.close()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDoor]:
    """A server for those who change nothing, and say so."""
    root = tmp_path_factory.mktemp("untouched")
    small_models.save(small_models.add_one([2]), root / "m/1")
    server = ServerProcess("--model_repository", str(root), rest=True)
    door = HttpDoor(server.rest_address)
    yield door
    door.close()
    assert server.stop() == 0


def ask(client: triton.InferenceServerClient, request_id: str) -> None:
    x = triton.InferInput("x", [2], "FP32")
    x.set_data_from_numpy(np.zeros(2, np.float32))
    client.infer("m", [x], request_id=request_id)


def test_tritonclient_traces_requests_of_a_model(server: ServerProcess, client: triton.InferenceServerClient) -> None:
    told = client.update_trace_settings("m", {"trace_level": ["TIMESTAMPS"], "trace_rate": "1", "trace_count": "1"})
    assert told == {
        "trace_level": ["TIMESTAMPS"],
        "trace_rate": "1",
        "trace_count": "1",
        "log_frequency": "0",
        "trace_file": "",
        "trace_mode": "triton",
    }
    assert client.get_trace_settings()["trace_level"] == ["OFF"]
    for request_id in ("meanwhile", "after"):
        ask(client, request_id)
    assert client.update_trace_settings("m", {"trace_level": None})["trace_level"] == ["OFF"]
    assert server.stop() == 0
    (line,) = [line for line in server.log.splitlines() if "traced" in line]
    assert "request_id=meanwhile" in line


def test_tritonclient_has_the_log_say_more_and_less(
    server: ServerProcess, client: triton.InferenceServerClient
) -> None:
    assert client.get_log_settings() == {
        "log_error": True,
        "log_warning": True,
        "log_info": True,
        "log_verbose_level": 0,
        "log_format": "console",
        "log_file": "",
        "log_requests": False,
    }
    assert client.update_log_settings({"log_format": "json", "log_requests": True})["log_format"] == "json"
    ask(client, "7")
    assert server.stop() == 0
    assert '"request_id": "7"' in server.log


def test_both_doors_set_the_same(server: ServerProcess, client: triton.InferenceServerClient) -> None:
    client.update_log_settings({"log_verbose_level": 1})
    client.update_trace_settings(settings={"trace_rate": "5"})
    with tritonclient.grpc.InferenceServerClient(server.address) as other:
        assert other.get_log_settings().settings["log_verbose_level"].uint32_param == 1
        assert list(other.get_trace_settings("m").settings["trace_rate"].value) == ["5"]


def test_a_models_settings_are_those_of_its_versions(door: HttpDoor) -> None:
    assert door.ask("POST", TRACE_PATHS[2], {"trace_rate": "7"}).status == 200
    assert [door.get(path).json["trace_rate"] for path in TRACE_PATHS] == ["1000", "7", "7"]


@pytest.mark.parametrize("path", ["/v2/logging", *TRACE_PATHS])
def test_a_body_that_says_nothing_changes_nothing(untouched: HttpDoor, path: str) -> None:
    before = untouched.get(path).json
    for body in (None, b"", b"{}"):
        answer = untouched.ask("POST", path, body)
        assert (answer.status, answer.json) == (200, before)


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/v2/logging", {"log_file": "/x"}, 501, "log setting 'log_file' cannot be changed by request"),
        ("/v2/logging", {"log_info": "no"}, 400, "log setting 'log_info' expects bool, got str"),
        ("/v2/logging", {"log_info": None}, 400, "log setting 'log_info' is null, expected a string, a number or a"),
        ("/v2/logging", {"log_verbose_level": -1}, 400, "log setting 'log_verbose_level' expects a number from 0 to"),
        ("/v2/logging", {"log_verbose_level": 1 << 40}, 400, "log setting 'log_verbose_level' expects a number from"),
        ("/v2/logging", {"nope": 1}, 400, "log setting 'nope' is unknown"),
        ("/v2/logging", [], 400, "the body is a list, expected a JSON object"),
        ("/v2/trace/setting", {"trace_rate": 1}, 400, "trace setting 'trace_rate' is the number 1, expected a string"),
        ("/v2/trace/setting", {"trace_rate": "0"}, 400, "trace setting 'trace_rate' expects one whole number from 1"),
        ("/v2/trace/setting", {"trace_file": "/x"}, 501, "trace setting 'trace_file' can only be ''"),
        ("/v2/trace/setting", {"nope": "1"}, 400, "trace setting 'nope' is unknown"),
        ("/v2/models/nope/trace/setting", {}, 404, "model 'nope' is not found"),
        ("/v2/models/m/versions/2/trace/setting", {}, 404, "model 'm' version 2 is not found"),
        ("/v2/models/m/versions/x/trace/setting", {}, 400, "model 'm': version 'x' is not valid"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    untouched: HttpDoor, path: str, body: Any, status: int, sentence: str
) -> None:
    before = [untouched.get(each).json for each in ("/v2/logging", *TRACE_PATHS)]
    answer = untouched.ask("POST", path, body)
    assert (answer.status, answer.error[: len(sentence)]) == (status, sentence)
    assert [untouched.get(each).json for each in ("/v2/logging", *TRACE_PATHS)] == before


def test_where_other_machines_can_ask_nothing_is_set(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.add_one([2]), repository / "m/1")
    to_all = ("--rest_bind_address", "0.0.0.0")  # noqa: S104
    door = HttpDoor(serve("--model_repository", str(repository), *to_all, rest=True).rest_address)
    for path in ("/v2/logging", *TRACE_PATHS):
        for method in ("GET", "POST"):
            answer = door.ask(method, path)
            assert answer.status == 403
            assert "--allow_remote_management" in answer.error
    door.close()
