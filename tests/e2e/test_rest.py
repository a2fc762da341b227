"""The REST door of a whole server: full queues, clients that go, loading, stopping, and who may come in."""

import base64
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton

import small_models
from authority import Authority
from http_door import HttpAnswer, HttpDoor
from pipelines import document, node
from server_process import REST_READY, ServerProcess, run_ovserve
from watched import adding

Serve = Callable[..., ServerProcess]
GOOD = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}


def rounds(count: int, **parameters: object) -> bytes:
    """A request that takes about `count` times half a millisecond."""
    tensor = {"name": "n", "datatype": "INT64", "shape": [], "data": [count]}
    return json.dumps({"inputs": [tensor], "parameters": parameters}).encode()


class Asking(threading.Thread):
    """A request under way on a connection of its own, which may be cut; told to `ended` when it has its answer."""

    def __init__(self, address: str, body: bytes, ended: "SimpleQueue[Asking] | None" = None) -> None:
        super().__init__(daemon=True)
        self._door = HttpDoor(address)
        self._body = body
        self._ended = ended or SimpleQueue()
        self.answer: HttpAnswer | None = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._door.infer("slow", self._body)
        except (OSError, http.client.HTTPException):
            self.answer = None
        self._ended.put(self)

    def cut(self) -> None:
        self._door._connection.sock.shutdown(socket.SHUT_RDWR)
        self.join()


@pytest.fixture
def slow(serve: Serve, repository: Path) -> Callable[[int], ServerProcess]:
    """Start a server of the slow model with one slot and a queue of the length given."""

    def start(max_queue: int) -> ServerProcess:
        small_models.save(small_models.slow(), repository / "slow/1")
        arguments = ("--nireq", "1", "--max_queue", str(max_queue))
        return serve("--model_repository", str(repository), *arguments, rest=True)

    return start


def hold_the_slot(server: ServerProcess, count: int) -> Asking:
    """Occupy the slot; when this returns, whoever comes next has to wait."""
    held = Asking(server.rest_address, rounds(count))
    door = HttpDoor(server.rest_address)
    while door.infer("slow", rounds(1, timeout=200_000)).status != 504:
        pass
    door.close()
    return held


def test_a_full_queue_refuses_at_once_while_probes_answer(slow: Callable[[int], ServerProcess]) -> None:
    server = slow(40)
    door = HttpDoor(server.rest_address)
    held = hold_the_slot(server, 8000)
    ended: SimpleQueue[Asking] = SimpleQueue()
    waiting = [Asking(server.rest_address, rounds(1), ended) for _ in range(60)]
    assert {ended.get(timeout=60).answer.status for _ in range(20)} == {429}
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/slow/ready", "/v2/models/slow"):
        assert door.get(path).status == 200
    assert door.ask("POST", "/v2/repository/index").status == 200
    refused = door.infer("slow", rounds(1))
    assert (refused.status, "40 requests are waiting already" in refused.error) == (429, True)
    assert held.is_alive(), "the slow request ended too early for this test to show anything"
    for one in (held, *waiting):
        one.join()
    assert sorted(one.answer.status for one in (held, *waiting)) == [200] * 41 + [429] * 20


def test_a_request_whose_client_goes_leaves_the_queue(slow: Callable[[int], ServerProcess]) -> None:
    server = slow(1)
    held = hold_the_slot(server, 4000)
    for _ in range(10):
        one = Asking(server.rest_address, rounds(1))
        door = HttpDoor(server.rest_address)
        while door.infer("slow", rounds(1, timeout=1)).status != 429:
            pass
        one.cut()
        while door.infer("slow", rounds(1, timeout=1)).status != 504:
            pass
        door.close()
    assert held.is_alive(), "the slow request ended too early for this test to show anything"


def test_a_timeout_is_in_microseconds(slow: Callable[[int], ServerProcess]) -> None:
    server = slow(1)
    held = hold_the_slot(server, 2000)
    answer = HttpDoor(server.rest_address).infer("slow", rounds(1, timeout=1000))
    assert (answer.status, "the deadline passed" in answer.error) == (504, True)
    assert held.is_alive()


def test_stopping_answers_what_was_accepted(slow: Callable[[int], ServerProcess]) -> None:
    server = slow(4)
    held = hold_the_slot(server, 1500)
    waiting = Asking(server.rest_address, rounds(10))
    door = HttpDoor(server.rest_address)
    while sum(door.infer("slow", rounds(1, timeout=1)).status == 504 for _ in range(3)) < 3:
        pass
    server.process.send_signal(signal.SIGTERM)
    while (ready := door.get("/v2/health/ready")).status == 200:
        pass
    assert (ready.status, ready.error) == (503, "the server is not ready")
    assert door.get("/v2/health/live").status == 200
    assert door.get("/v2/models/slow/ready").status == 503
    assert door.infer("slow", rounds(1)).error == "the server is stopping"
    for one in (held, waiting):
        one.join()
    assert (held.answer.status, waiting.answer.status) == (200, 200)
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_an_idle_connection_does_not_delay_the_end(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    server = serve("--model_repository", str(repository), rest=True)
    door = HttpDoor(server.rest_address)
    assert door.get("/v2").status == 200
    began_s = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began_s < 15


def test_models_are_loaded_and_unloaded_by_request(serve: Serve, repository: Path) -> None:
    files = small_models.save(adding(1), repository / "m/1")
    server = serve("--model_repository", str(repository), "--model_control_mode", "explicit", rest=True)
    with triton.InferenceServerClient(server.rest_address) as client:
        assert client.get_model_repository_index() == [{"name": "m"}]
        client.load_model("m")
        assert client.is_model_ready("m")
        client.unload_model("m")
        assert not client.is_model_ready("m")
        uploaded = {f"file:1/{file.name}": file.read_bytes() for file in files.iterdir()}
        client.load_model("other", config='{"backend": "openvino"}', files=uploaded)
        assert client.is_model_ready("other")
    door = HttpDoor(server.rest_address)
    assert door.ask("POST", "/v2/repository/models/nope/load").status == 400
    for parameters, sentence in (
        ({"config": 3}, "'config' is the number 3"),
        ({"config": "{}", "file:1/x": "?"}, "'file:1/x' is not base64"),
        ({"config": "{}", "file:../../x": base64.b64encode(b"x").decode()}, "no path inside the model's folder"),
    ):
        answer = door.ask("POST", "/v2/repository/models/m/load", {"parameters": parameters})
        assert (answer.status, sentence in answer.error) == (400, True), answer.error


DOUBLE = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({"name": "x", "data_type": "TYPE_FP32", "dims": [1]})
        config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [1]})
        return config

    def execute(self, requests):
        x = requests[0].inputs()[0].as_numpy()
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", x * 2)])]
"""


def test_a_node_of_a_pipeline_goes_by_its_encoded_name(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1]), tmp_path / "a/1")
    (tmp_path / "double.py").write_text(DOUBLE)
    pipeline = document(node("m", "a"), node("n", library_name="double", inputs={"x": "m.y"}))
    config = {
        "model_config_list": [{"config": {"name": "a", "base_path": str(tmp_path / "a")}}],
        "custom_node_library_config_list": [{"name": "double", "base_path": str(tmp_path / "double.py")}],
        "pipeline_config_list": [pipeline],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    door = HttpDoor(serve("--config_path", str(tmp_path / "config.json"), rest=True).rest_address)
    results = {name: door.infer(name, GOOD).json["outputs"][0]["data"] for name in ("a", "p", "p%2Fn", "p%2fn")}
    assert results == {"a": [2], "p": [4], "p%2Fn": [2], "p%2fn": [2]}
    assert door.get("/v2/models/p%2Fn/ready").status == 200
    assert door.get("/v2/models/p/n/ready").status == 404


def test_rest_may_be_the_only_door(repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    command = [sys.executable, "-m", "ovserve", "--model_repository", str(repository), "--port", "0"]
    with subprocess.Popen([*command, "--http-port", "auto"], stdout=subprocess.PIPE, text=True) as process:
        found = REST_READY.match(process.stdout.readline())
        assert HttpDoor(f"{found[1]}:{found[2]}").get("/v2/health/ready").status == 200
        process.terminate()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_a_port_in_use_ends_the_start(repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_ovserve("--model_repository", str(repository), "--port", "auto", "--rest_port", str(port))
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port} for REST" in ended.stderr


def test_other_machines_count_at_either_door(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    arguments = ("--model_control_mode", "explicit", "--rest_bind_address", "0.0.0.0")  # noqa: S104 - what is tested
    server = serve("--model_repository", str(repository), *arguments, rest=True)
    answer = HttpDoor(server.rest_address).ask("POST", "/v2/repository/models/m/load")
    assert (answer.status, "--allow_remote_management" in answer.error) == (403, True)


# Pages of other sites

ORIGIN = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}


def test_pages_of_other_sites_may_not_ask_unless_allowed(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    answer = HttpDoor(serve("--model_repository", str(repository), rest=True).rest_address).ask(
        "OPTIONS", "/v2", None, ORIGIN
    )
    assert (answer.status, "access-control-allow-origin" in answer.headers) == (405, False)


def test_pages_of_the_sites_named_may_ask(serve: Serve, repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    allowed = ("--allowed_origins", "https://example.org, https://example.com", "--allowed_methods", "GET,POST")
    door = HttpDoor(serve("--model_repository", str(repository), *allowed, rest=True).rest_address)
    answer = door.ask("OPTIONS", "/v2/models/m/infer", None, ORIGIN)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://example.org")
    assert door.ask("GET", "/v2", None, ORIGIN).headers["access-control-allow-origin"] == "https://example.org"
    stranger = door.ask("OPTIONS", "/v2", None, ORIGIN | {"Origin": "https://example.net"})
    assert "access-control-allow-origin" not in stranger.headers


# Keys and TLS


def test_a_key_opens_what_it_has_the_right_for(serve: Serve, repository: Path, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1]), repository / "m/1")
    keys = tmp_path / "keys"
    keys.write_text("all\nasks inference\nlooks metrics\n")
    door = HttpDoor(serve("--model_repository", str(repository), "--api_key_file", str(keys), rest=True).rest_address)
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/m/ready", "/openapi.json"):
        assert door.get(path).status == 200
    refused = door.infer("m", GOOD)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert door.infer("m", GOOD, {"Authorization": "Bearer wrong"}).status == 401
    assert door.infer("m", GOOD, {"Authorization": "Bearer asks"}).status == 200
    assert door.infer("m", GOOD, {"X-API-Key": "asks"}).status == 200
    asks, looks, everything = ({"X-API-Key": key} for key in ("asks", "looks", "all"))
    for method, path, good, bad in (
        ("GET", "/v2/models/stats", looks, asks),
        ("GET", "/v2/models/m/stats", looks, asks),
        ("GET", "/v2/models/m", asks, looks),
        ("GET", "/v2/models/m/versions/1/config", asks, looks),
        ("POST", "/v2/repository/index", asks, looks),
        ("POST", "/v2/repository/models/m/load", everything, asks),
        ("POST", "/v2/repository/models/m%2F../load", everything, asks),
        ("GET", "/nowhere", everything, asks),
    ):
        assert door.ask(method, path, None, bad).status == 403, path
        assert door.ask(method, path, None, good).status not in {401, 403}, path


def test_the_same_certificate_serves_rest(serve: Serve, repository: Path, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1]), repository / "m/1")
    authority = Authority(tmp_path)
    files = authority.issue("server")
    flags = ("--tls_cert", str(files.cert), "--tls_key", str(files.key))
    server = serve("--model_repository", str(repository), *flags, rest=True)
    context = ssl.create_default_context(cafile=authority.path)
    connection = http.client.HTTPSConnection("127.0.0.1", server.rest_port, timeout=30, context=context)
    connection.request("POST", "/v2/models/m/infer", json.dumps(GOOD))
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["outputs"][0]["data"]) == (200, [2])
    with pytest.raises((OSError, http.client.HTTPException)):
        HttpDoor(server.rest_address).get("/v2/health/live")


def test_a_grpc_client_and_a_rest_client_see_the_same(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.pass_through("f32", [-1]), repository / "m/1")
    server = serve("--model_repository", str(repository), rest=True)
    sent = np.linspace(0, 1, 7, dtype=np.float32)
    got = []
    for module, address in ((triton, server.rest_address), (triton_grpc, server.address)):
        tensor = module.InferInput("x", [7], "FP32")
        tensor.set_data_from_numpy(sent)
        with module.InferenceServerClient(address) as client:
            got.append(client.infer("m", [tensor]).as_numpy("x"))
    assert got[0].tobytes() == got[1].tobytes() == sent.tobytes()
