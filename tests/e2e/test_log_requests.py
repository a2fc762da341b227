"""A line on every inference request, through real sockets: what it says, and what it never says."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as pb_grpc

import small_models
from server_process import ServerProcess
from tfs_wire import PREDICTION, predict_request
from wire_server import request

Serve = Callable[..., ServerProcess]

X = np.array([[31337, 31337]], np.float32)
JSON = ("--log_format", "json")


@dataclass(frozen=True)
class Seen:
    """A server that others have asked too, and what it logs from now on."""

    server: ServerProcess
    begin: int

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def rest_port(self) -> int | None:
        return self.server.rest_port

    @property
    def log(self) -> str:
        return self.server.log[self.begin :]


def lines(server: ServerProcess | Seen, count: int) -> list[dict[str, Any]]:
    """The first `count` lines on requests, once they are there."""

    until_s = time.monotonic() + 60
    while True:
        found = [json.loads(line) for line in server.log.splitlines(keepends=True) if _is_whole(line)]
        if len(found) >= count:
            return found[:count]
        assert time.monotonic() < until_s, server.log
        threading.Event().wait(0.01)


def _is_whole(line: str) -> bool:
    return line.endswith("\n") and '"event": "request"' in line


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    small_models.save(small_models.add_one([-1, 2]), root / "m/1")
    small_models.save(small_models.slow(), root / "slow/1")
    return root


@pytest.fixture
def start(serve: Serve, repository: Path) -> Callable[..., ServerProcess]:
    return lambda *arguments: serve("--model_repository", str(repository), *arguments, rest=True)


@pytest.fixture(scope="module")
def shared_server(repository: Path) -> Iterator[ServerProcess]:
    server = ServerProcess("--model_repository", str(repository), "--log_requests", *JSON, rest=True)
    yield server
    assert server.stop() == 0


@pytest.fixture
def seen(shared_server: ServerProcess) -> Seen:
    return Seen(shared_server, len(shared_server.log))


@pytest.fixture
def connect() -> Iterator[Callable[[ServerProcess | Seen], grpc.Channel]]:
    channels = []

    def connect(server: ServerProcess | Seen) -> grpc.Channel:
        channels.append(grpc.insecure_channel(server.address))
        return channels[-1]

    yield connect
    for channel in channels:
        channel.close()


Connect = Callable[[ServerProcess | Seen], grpc.Channel]


def post(server: Seen, path: str, body: object, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    try:
        connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_line_on_an_answer_over_grpc(seen: Seen, connect: Connect) -> None:
    metadata = [("authorization", "Bearer secret"), ("traceparent", "secret")]
    pb_grpc.GRPCInferenceServiceStub(connect(seen)).ModelInfer(request("m", {"x": X}, id="7"), metadata=metadata)
    (line,) = lines(seen, 1)
    times = {name: line.pop(name) for name in ("queue_us", "input_us", "infer_us", "total_us")}
    assert all(type(time) is int for time in times.values())
    assert times["queue_us"] + times["input_us"] + times["infer_us"] <= times["total_us"]
    del line["timestamp"]
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "7",
        "api": "KServe",
        "interface": "gRPC",
        "model": "m",
        "version": 1,
        "inputs": {"x": "FP32[1,2]"},
        "code": "OK",
    }
    assert "31337" not in seen.log
    assert "secret" not in seen.log


def test_a_line_on_what_is_refused_over_grpc(seen: Seen, connect: Connect) -> None:
    channel = connect(seen)
    stub = pb_grpc.GRPCInferenceServiceStub(channel)
    for message in (
        request("m", {"x": X.T[:, [0, 0, 0]]}, id="shape"),
        request("nope", {"x": X}, id="i" * 10_000, model_version="3"),
        pb.ModelInferRequest(model_name="m", inputs=[{"name": "x", "datatype": "FP99"}]),
    ):
        with pytest.raises(grpc.RpcError):
            stub.ModelInfer(message)
    with pytest.raises(grpc.RpcError):
        channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(b"\xff")
    shape, unknown, unread, garbage = lines(seen, 4)
    assert (shape["request_id"], shape["code"], shape["inputs"]) == ("shape", "INVALID", {"x": "FP32[2,3]"})
    assert "Expected: (-1,2); Actual: (2,3)" in shape["reason"]
    assert "infer_us" not in shape
    assert (unknown["model"], unknown["version"], unknown["code"]) == ("nope", 3, "NOT_FOUND")
    assert len(unknown["request_id"]) < 300
    assert (unread["model"], unread["code"], unread["inputs"]) == ("m", "INVALID", {})
    assert "FP99" in unread["reason"]
    assert (garbage["model"], garbage["code"]) == ("", "INVALID")
    assert garbage["reason"] == "the message is not a valid inference.ModelInferRequest"


def test_a_line_on_each_request_of_a_stream(seen: Seen, connect: Connect) -> None:
    messages = [request("m", {"x": X}, id="good"), request("m", {"y": X}, id="bad")]
    list(pb_grpc.GRPCInferenceServiceStub(connect(seen)).ModelStreamInfer(iter(messages)))
    assert {line["request_id"]: line["code"] for line in lines(seen, 2)} == {"good": "OK", "bad": "INVALID"}


def test_a_line_on_what_ran_out_of_time(start: Callable[..., ServerProcess], connect: Connect) -> None:
    server = start("--log_requests", *JSON, "--nireq", "1")
    stub = pb_grpc.GRPCInferenceServiceStub(connect(server))
    held = stub.ModelInfer.future(request("slow", {"n": np.array(4000, np.int64)}))
    message = request("slow", {"n": np.array(1, np.int64)}, id="late")
    message.parameters["timeout"].int64_param = 1000
    tries = 1
    while (call := stub.ModelInfer.future(message)).exception() is None:  # until the slot is really taken
        tries += 1
    assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    late = lines(server, tries)[-1]
    assert (late["request_id"], late["code"]) == ("late", "DEADLINE")
    assert "the deadline passed" in late["reason"]
    assert not held.done(), "the slow request ended too early for this test to show anything"
    held.cancel()


def test_a_line_on_what_is_one_too_many(start: Callable[..., ServerProcess], connect: Connect) -> None:
    server = start("--log_requests", *JSON, "--nireq", "1", "--max_queue", "1")
    stub = pb_grpc.GRPCInferenceServiceStub(connect(server))
    calls = [stub.ModelInfer.future(request("slow", {"n": np.array(400, np.int64)})) for _ in range(8)]
    refused = sum(call.exception() is not None for call in calls)
    codes = [line["code"] for line in lines(server, 8)]
    assert (codes.count("OVERLOADED"), codes.count("OK")) == (refused, 8 - refused)
    assert refused > 0


def test_lines_on_rest(seen: Seen) -> None:
    document = {"id": "r", "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": X.tolist()}]}
    assert post(seen, "/v2/models/m/infer", document, Authorization="Bearer secret") == 200
    assert post(seen, "/v2/models/m/versions/1/infer", {**document, "inputs": []}) == 400
    assert post(seen, "/v2/models/m/infer", b"no json") == 400
    assert post(seen, "/v2/models/m/infer", b"", **{"Content-Encoding": "br"}) == 415
    good, wrong, unread, encoded = lines(seen, 4)
    assert (good["interface"], good["request_id"], good["code"]) == ("REST", "r", "OK")
    assert good["inputs"] == {"x": "FP32[1,2]"}
    assert (wrong["version"], wrong["request_id"], wrong["code"]) == (1, "r", "INVALID")
    assert (unread["model"], unread["code"]) == ("m", "INVALID")
    assert (encoded["model"], encoded["code"]) == ("m", "INVALID")
    assert "'br'" in encoded["reason"]
    assert "secret" not in seen.log


def test_lines_on_tensorflow_serving(seen: Seen, connect: Connect) -> None:
    predict = connect(seen).unary_unary(PREDICTION + "Predict")
    predict(predict_request("m", {"x": X}).SerializeToString())
    for refused in (predict_request("nope", {"x": X}, 4).SerializeToString(), b"\xff"):
        with pytest.raises(grpc.RpcError):
            predict(refused)
    assert post(seen, "/v1/models/m:predict", {"instances": X.tolist()}) == 200
    assert post(seen, "/v1/models/nope:predict", {"instances": X.tolist()}) == 404
    found = [(line["api"], line["interface"], line["model"], line["version"], line["code"]) for line in lines(seen, 5)]
    assert found == [
        ("TensorFlowServing", "gRPC", "m", 1, "OK"),
        ("TensorFlowServing", "gRPC", "nope", 4, "NOT_FOUND"),
        ("TensorFlowServing", "gRPC", "", None, "INVALID"),
        ("TensorFlowServing", "REST", "m", 1, "OK"),
        ("TensorFlowServing", "REST", "nope", None, "NOT_FOUND"),
    ]


def test_lines_come_and_go_while_the_server_runs(start: Callable[..., ServerProcess], connect: Connect) -> None:
    server = start(*JSON, "--log_level", "ERROR")
    stub = pb_grpc.GRPCInferenceServiceStub(connect(server))
    settings = {True: pb.LogSettingsRequest(), False: pb.LogSettingsRequest()}
    for on, message in settings.items():
        message.settings["log_requests"].bool_param = on
    stub.ModelInfer(request("m", {"x": X}, id="before"))
    assert stub.LogSettings(settings[True]).settings["log_requests"].bool_param
    stub.ModelInfer(request("m", {"x": X}, id="meanwhile"))
    assert not stub.LogSettings(settings[False]).settings["log_requests"].bool_param
    stub.ModelInfer(request("m", {"x": X}, id="after"))
    assert server.stop() == 0
    assert [json.loads(line)["request_id"] for line in server.log.splitlines()] == ["meanwhile"]
