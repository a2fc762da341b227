"""LogSettings and TraceSetting with tritonclient: they act on what the server logs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from server_process import ServerProcess
from watched import Watched

Start = Callable[..., Watched]


@pytest.fixture
def served(watched: Start, repository: Path) -> Watched:
    small_models.save(small_models.add_one([2]), repository / "m/1")
    return watched()


@pytest.fixture
def client(served: Watched) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(served.server.address) as client:
        yield client


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[triton.InferenceServerClient]:
    """A client of a server for those who change nothing, and say so."""
    root = tmp_path_factory.mktemp("untouched")
    small_models.save(small_models.add_one([2]), root / "m/1")
    server = ServerProcess("--model_repository", str(root))
    with triton.InferenceServerClient(server.address) as client:
        yield client
    assert server.stop() == 0


def ask(client: triton.InferenceServerClient, request_id: str) -> None:
    x = triton.InferInput("x", [2], "FP32")
    x.set_data_from_numpy(np.zeros(2, np.float32))
    client.infer("m", [x], request_id=request_id)


def trace(client: triton.InferenceServerClient, model: str = "", **settings: Any) -> dict[str, str]:
    found = client.update_trace_settings(model, settings)
    return {name: " ".join(setting.value) for name, setting in found.settings.items()}


def log(client: triton.InferenceServerClient, **settings: Any) -> dict[str, Any]:
    found = client.update_log_settings(settings, as_json=True)["settings"]
    return {name: next(iter(value.values()), None) for name, value in found.items()}


def test_requests_are_traced_in_the_log_while_it_is_on(served: Watched, client: triton.InferenceServerClient) -> None:
    ask(client, "before")
    trace(client, "m", trace_level=["TIMESTAMPS"], trace_rate="1")
    ask(client, "meanwhile")
    served.wait(lambda: "request_id=meanwhile" in served.server.log)
    assert trace(client, "m", trace_level=["OFF"])["trace_level"] == "OFF"
    ask(client, "after")
    assert served.server.stop() == 0
    (line,) = [line for line in served.server.log.splitlines() if "traced" in line]
    assert all(f"{name}_us=" in line for name in ("queue", "compute_input", "compute_infer", "compute_output", "total"))


def test_the_trace_of_an_unknown_model_is_not_found(untouched: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"NOT_FOUND.*model 'nope'"):
        untouched.get_trace_settings("nope")


def test_the_log_says_less_when_it_is_told_to(served: Watched, client: triton.InferenceServerClient) -> None:
    assert log(client)["log_info"] is True
    assert log(client, log_info=False)["log_info"] is False
    trace(client, trace_level=["TIMESTAMPS"], trace_rate="1")
    ask(client, "unheard")
    assert log(client, log_info=True, log_verbose_level=1)["log_verbose_level"] == 1
    ask(client, "heard")
    served.wait(lambda: "request_id=heard" in served.server.log)
    assert "unheard" not in served.server.log


def test_lines_become_json_when_they_are_told_to(served: Watched, client: triton.InferenceServerClient) -> None:
    assert log(client, log_format="json")["log_format"] == "json"
    trace(client, trace_level=["TIMESTAMPS"], trace_rate="1")
    ask(client, "7")
    served.wait(lambda: '"request_id": "7"' in served.server.log)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"log_file": "/tmp/x"}, "UNIMPLEMENTED.*'log_file' cannot be changed by request"),  # noqa: S108
        ({"log_format": "xml"}, "INVALID_ARGUMENT.*'log_format' expects one of"),
        ({"log_warning": False}, "UNIMPLEMENTED.*'log_warning' false and 'log_info' true contradict"),
        ({"nope": True}, "INVALID_ARGUMENT.*'nope' is unknown"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    untouched: triton.InferenceServerClient, settings: dict[str, Any], sentence: str
) -> None:
    before = log(untouched)
    with pytest.raises(InferenceServerException, match=sentence):
        log(untouched, **settings)
    assert log(untouched) == before


def test_where_other_machines_can_ask_nothing_is_set(watched: Start, repository: Path) -> None:
    small_models.save(small_models.add_one([2]), repository / "m/1")
    open_to_all = watched("--grpc_bind_address", "0.0.0.0")  # noqa: S104
    with triton.InferenceServerClient(open_to_all.server.address) as client:
        for rpc in (client.get_log_settings, client.get_trace_settings):
            with pytest.raises(InferenceServerException, match=r"PERMISSION_DENIED.*--allow_remote_management"):
                rpc()
