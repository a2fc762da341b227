"""`ovclient status`: the lines of OVMS's grpc_get_model_status.py, over both protocols."""

import json

import pytest
from tritonclient.grpc import service_pb2 as pb

from ovclient.testing import FakeServer
from ovclient_command import Run, against

SERVING = ["Model version: 1", "State AVAILABLE", "Error code:  0", "Error message:  OK"]


@pytest.fixture(params=["grpc", "rest"])
def status(request: pytest.FixtureRequest, server: FakeServer, capfd: pytest.CaptureFixture[str]) -> Run:
    flags = {"grpc": ["--grpc_port", str(server.port)], "rest": ["--http_port", server.rest_address.split(":")[-1]]}
    run = against(capfd, flags[request.param])
    return lambda *arguments: run("status", *arguments)


def test_the_lines_are_ovmss(status: Run) -> None:
    assert status("echo").out.splitlines() == ["Getting model status for model: echo", "", *SERVING]


def test_each_version_stands_by_itself(status: Run, server: FakeServer) -> None:
    index = pb.RepositoryIndexResponse()
    index.models.add(name="m", version="1", state="UNAVAILABLE", reason="no weights")
    index.models.add(name="m", version="2", state="LOADING")
    server.answer("RepositoryIndex", index)
    first = ["Model version: 1", "State END", "Error code:  2", "Error message:  no weights"]
    second = ["Model version: 2", "State LOADING", "Error code:  0", "Error message:  OK"]
    assert status("m").out.splitlines() == ["Getting model status for model: m", "", *first, "", *second]
    assert status("m", "2").out.splitlines() == ["Getting model status for model: m", "", *second]
    done = status("--model_name", "m", "--model_version", "3")
    assert (done.code, done.err) == (1, "ovclient: model 'm' has no version 3; it has 1, 2\n")


def test_every_model_is_shown_and_why_one_failed(status: Run, server: FakeServer) -> None:
    server.add_model("broken", dict, state="UNAVAILABLE", reason="no weights")
    server.add_model("gone", dict, state="UNAVAILABLE", reason="unloaded")
    out = status().out
    assert "model: broken\n\nModel version: 1\nState END\nError code:  2\nError message:  no weights\n\nGetting" in out
    assert "model: gone\n\nModel version: 1\nState END\nError code:  0\nError message:  unloaded\n" in out
    assert [(m["name"], m["state"]) for m in json.loads(status("--json").out)] == [
        ("echo", "AVAILABLE"),
        ("broken", "END"),
        ("gone", "END"),
    ]


def test_an_unknown_model_fails(status: Run) -> None:
    done = status("nope")
    assert (done.code, done.err) == (1, "ovclient: the server knows no model 'nope'\n")


def test_a_version_belongs_to_a_model(status: Run) -> None:
    done = status("--model_version", "1")
    assert (done.code, "--model_version needs --model_name" in done.err) == (2, True)
