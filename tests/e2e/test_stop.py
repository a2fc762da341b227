"""Stopping: readiness off, what was accepted is answered, exit code 0."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc

import small_models
from server_process import ServerProcess, run_ovserve

Serve = Callable[..., ServerProcess]


def client_loop(address: str, make: Callable[[], triton.InferInput], tally: list[str]) -> None:
    """Ask until the server refuses; note each outcome."""
    with triton.InferenceServerClient(address) as client:
        while True:
            try:
                client.infer("m", [make()])
                tally.append("OK")
            except triton.InferenceServerException as error:
                tally.append(str(error.status()))
                return


def stopped_totals(log: str) -> tuple[int, int]:
    line = json.loads(log.splitlines()[-1])
    assert line["event"] == "stopped"
    return line["requests"], line["answered"]


def stop_under_load(server: ServerProcess, make: Callable[[], triton.InferInput], after_s: float) -> list[list[str]]:
    tallies: list[list[str]] = [[] for _ in range(4)]
    clients = [threading.Thread(target=client_loop, args=(server.address, make, tally)) for tally in tallies]
    for client in clients:
        client.start()
    started_s = time.monotonic()
    while time.monotonic() - started_s < after_s or any(len(tally) < 3 for tally in tallies):
        threading.Event().wait(0.01)
    assert server.stop(signal.SIGTERM) == 0
    for client in clients:
        client.join(30)
    return tallies


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_exit_code_0(serve: Serve, tmp_path: Path, kind: signal.Signals) -> None:
    small_models.save(small_models.add_one([1]), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path))
    assert server.stop(kind) == 0
    assert "Traceback" not in server.log


def test_the_last_line_counts_what_was_answered_and_what_failed(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1]), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path), "--log_format", "json")
    with triton.InferenceServerClient(server.address) as client:
        client.infer("m", [input_maker("x", [1])()])
        for _ in range(2):
            with pytest.raises(triton.InferenceServerException):
                client.infer("m", [input_maker("x", [7])()])
    assert server.stop(signal.SIGTERM) == 0
    last = json.loads(server.log.splitlines()[-1])
    assert (last["event"], last["requests"], last["answered"], last["failed"]) == ("stopped", 3, 1, 2)


def input_maker(name: str, shape: list[int]) -> Callable[[], triton.InferInput]:
    x = np.ones(shape, np.float32)

    def make() -> triton.InferInput:
        tensor = triton.InferInput(name, shape, "FP32")
        tensor.set_data_from_numpy(x)
        return tensor

    return make


def check_that_nothing_accepted_was_lost(server: ServerProcess, tallies: list[list[str]]) -> None:
    accepted, answered = stopped_totals(server.log)
    assert accepted == answered == sum(tally.count("OK") for tally in tallies)
    assert {outcome for tally in tallies for outcome in tally} == {"OK", "StatusCode.UNAVAILABLE"}


def test_every_request_that_was_accepted_is_answered(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([-1, 256]), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path), "--log_format", "json")
    check_that_nothing_accepted_was_lost(server, stop_under_load(server, input_maker("x", [64, 256]), after_s=1))


def test_every_request_to_the_face_model_that_was_accepted_is_answered(serve: Serve, shared: Path) -> None:
    model = shared / "models/face-detection-retail-0004"
    server = serve("--model_name", "m", "--model_path", str(model), "--log_format", "json")
    seconds = float(os.environ.get("OVSERVE_TEST_LOAD_SECONDS", "2"))
    check_that_nothing_accepted_was_lost(
        server, stop_under_load(server, input_maker("data", [1, 3, 300, 300]), after_s=seconds)
    )


def slow_request(rounds: int) -> list[triton.InferInput]:
    """An input that takes about `rounds` times half a millisecond."""
    count = triton.InferInput("n", [], "INT64")
    count.set_data_from_numpy(np.array(rounds))
    return [count]


def hold_the_slot(client: triton.InferenceServerClient, rounds: int) -> "Future[object]":
    """Send a slow request; when this returns, it runs."""
    answer: Future[object] = Future()
    client.async_infer("m", slow_request(rounds), lambda result, error: answer.set_result(error or result))
    while True:
        try:
            client.infer("m", slow_request(1), client_timeout=0.3)
        except triton.InferenceServerException as error:
            if "DEADLINE_EXCEEDED" in str(error.status()):
                return answer
            raise


def test_a_request_in_flight_is_finished_and_readiness_is_off_meanwhile(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.slow(), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path), "--nireq", "1")
    with grpc.insecure_channel(server.address) as channel, triton.InferenceServerClient(server.address) as client:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        answer = hold_the_slot(client, 5000)
        server.process.send_signal(signal.SIGTERM)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not client.is_server_ready()
        with pytest.raises(triton.InferenceServerException, match="the server is stopping"):
            client.infer("m", slow_request(1))
        assert not answer.done(), "the slow request ended too early for this test to show anything"
        assert isinstance(answer.result(60), triton.InferResult)
    assert server.stop() == 0


def test_the_grace_ends_what_takes_longer(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.slow(), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path), "--nireq", "1", "--exit_timeout_secs", "0.2")
    with triton.InferenceServerClient(server.address) as client:
        answer = hold_the_slot(client, 20_000)
        assert server.stop() == 0
        assert isinstance(answer.result(60), triton.InferenceServerException)
    assert "requests were still running and will not be answered" in server.log


def test_a_second_server_on_the_same_port_exits_with_one_line(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1]), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path))
    second = run_ovserve("--model_repository", str(tmp_path), "--port", str(server.port))
    assert second.returncode == 1
    assert re.fullmatch(
        rf"ovserve: cannot listen on 127\.0\.0\.1:{server.port} for gRPC: Address already in use\n", second.stderr
    )
    with triton.InferenceServerClient(server.address) as client:
        assert client.is_server_live()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("addresses", "hosts"),
    [
        ("127.0.0.1,127.0.0.2", ("127.0.0.1", "127.0.0.2")),
        pytest.param(
            "127.0.0.1, ::1",
            ("127.0.0.1", "[::1]"),
            marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6"),
        ),
    ],
)
def test_it_listens_on_every_address_given(
    serve: Serve, tmp_path: Path, addresses: str, hosts: tuple[str, str]
) -> None:
    small_models.save(small_models.add_one([1]), tmp_path / "m" / "1")
    server = serve("--model_repository", str(tmp_path), "--grpc_bind_address", addresses)
    for host in hosts:
        with triton.InferenceServerClient(f"{host}:{server.port}") as client:
            assert client.is_server_ready()
