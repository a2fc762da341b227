"""`FakeServer` over REST: the same answers as over gRPC."""

import http.client
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from ovclient import Client, ConnectionFailed, InvalidRequest, NotFound, OVClientError, Pipeline, PipelineNode
from ovclient.testing import FakeServer


@pytest.fixture
def rest(server: FakeServer) -> Iterator[Client]:
    with Client(server.rest_address, timeout=20) as client:
        yield client


ALIKE: dict[str, Callable[[Client], Any]] = {
    "live": lambda client: client.live(),
    "ready": lambda client: client.ready(),
    "ready model": lambda client: client.ready("echo", 1),
    "ready, unknown": lambda client: client.ready("nope"),
    "server": lambda client: client.server_metadata(),
    "metadata": lambda client: client.metadata("echo"),
    "unknown": lambda client: client.metadata("nope"),
    "unknown version": lambda client: client.infer("echo", {}, version=9),
    "index": lambda client: client.repository_index(),
    "index, ready": lambda client: client.repository_index(ready=True),
    "pipeline": lambda client: client.pipeline("graph"),
    "no pipeline": lambda client: client.pipeline("echo"),
    "inference": lambda client: client.infer("echo", np.float32([1, 2]), id="q")["x"].tolist(),
    "words": lambda client: client.infer("echo", {"x": ["é", b"\0"]}, outputs=["x"])["x"].tolist(),
    "no such output": lambda client: client.infer("echo", {"x": [1]}, outputs=["y"]),
    "a function that fails": lambda client: client.infer("bad", {}),
    "not ready": lambda client: client.infer("late", {}),
    "unload": lambda client: client.unload_model("nope"),
}


@pytest.mark.parametrize("ask", ALIKE.values(), ids=ALIKE.keys())
def test_the_answers_are_those_of_grpc(
    server: FakeServer, client: Client, rest: Client, ask: Callable[[Client], Any]
) -> None:
    server.add_model("bad", lambda inputs: inputs["nope"])
    server.add_model("late", dict, state="LOADING")
    nodes = (PipelineNode("ask", "model", "echo", version=1),)
    server.add_model("graph", dict, pipeline=Pipeline("graph", (), (), nodes, ()))

    def outcome(asked: Client) -> Any:
        try:
            return ask(asked)
        except OVClientError as error:
            return type(error), str(error), error.code

    assert outcome(rest) == outcome(client)


@pytest.mark.parametrize("code", list(grpc.StatusCode)[1:], ids=str)
def test_failures_told_beforehand_are_the_same_errors(
    server: FakeServer, client: Client, rest: Client, code: grpc.StatusCode
) -> None:
    server.fail("ModelInfer", code, "not today")
    errors = []
    for asked in (client, rest):
        with pytest.raises(OVClientError) as caught:
            asked.infer("echo", {})
        errors.append(type(caught.value))
    assert errors[0] is errors[1]


def test_requests_are_recorded(server: FakeServer, rest: Client) -> None:
    rest.infer("echo", {"x": np.float32([1, 2])}, parameters={"a": "b"}, timeout=7)
    (received,) = server.received
    assert (received.rpc, received.time_remaining_s) == ("ModelInfer", 7)
    assert received.request.parameters["a"].string_param == "b"
    assert server.inputs()["x"].tolist() == [1, 2]


def test_models_are_loaded_and_unloaded_with_the_errors_of_rest(server: FakeServer, rest: Client) -> None:
    server.add_model("late", dict, state="")
    rest.load_model("late", {"backend": "openvino"}, {"1/model.onnx": b"\0\1"})
    parameters = server.requests("RepositoryModelLoad")[0].parameters
    assert parameters["file:1/model.onnx"].bytes_param == b"\0\1"
    assert parameters["config"].string_param == '{"backend": "openvino"}'
    rest.unload_model("late", unload_dependents=True)
    assert not rest.ready("late")
    with pytest.raises(InvalidRequest):
        rest.load_model("nope")
    server.add_model("broken", dict, state="UNAVAILABLE", reason="no weights")
    with pytest.raises(NotFound, match="no weights"):
        rest.load_model("broken")


def test_stop_ends_calls_under_way(server: FakeServer, rest: Client) -> None:
    started, release = threading.Event(), threading.Event()
    server.add_model("slow", lambda _: {"y": [started.set(), release.wait(30)]})
    failures: list[Exception] = []

    def ask() -> None:
        try:
            rest.infer("slow", {})
        except OVClientError as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert started.wait(30)
    server.stop()
    asking.join(30)
    release.set()
    assert [type(failure) for failure in failures] == [ConnectionFailed]


def test_the_address_is_known_before_the_start() -> None:
    server = FakeServer()
    address = server.rest_address
    with server, Client(address) as client:
        assert client.live()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/nope", b""), ("POST", "/v2/models/echo/infer", b"{"), ("POST", "/v2/health/live", b"")],
)
def test_what_is_no_request_is_refused(server: FakeServer, method: str, path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(server.rest_address.removeprefix("http://"), timeout=30)
    connection.request(method, path, body)
    assert connection.getresponse().status in {400, 404}
    connection.close()
