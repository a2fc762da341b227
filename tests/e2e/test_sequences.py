"""Sequences on a server as users start it: OVMS's form and Triton's, over every door."""

import json
import queue
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb

import small_models
from http_door import HttpDoor
from ovclient import Client, InvalidRequest, NotReady, OVClientError
from server_process import ServerProcess
from tfs_wire import PREDICTION, TfsWire, predict_request
from watched import Watched
from wire_server import Wire, request

Serve = Callable[..., ServerProcess]

MOST = 50
STEPS = 4
PBTXT = """
sequence_batching { max_sequence_idle_microseconds: %d }
parameters { key: "MAX_SEQUENCE_NUMBER" value: { string_value: "%d" } }
parameters { key: "MAX_QUEUE" value: { string_value: "200" } }
"""
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def of_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """`sum` with room for 50 sequences, `hasty` that forgets at once, `plain` that keeps nothing."""
    root = tmp_path_factory.mktemp("triton")
    for name in ("sum", "hasty", "plain"):
        small_models.save(small_models.running_sum(), root / name / "1")
    (root / "sum/config.pbtxt").write_text(PBTXT % (HOUR_US, MOST))
    (root / "hasty/config.pbtxt").write_text(PBTXT % (1, MOST))
    server = ServerProcess("--model_repository", str(root), "--metrics_enable", rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


@pytest.fixture(scope="module")
def of_ovms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("ovms")
    small_models.save(small_models.running_sum(), root / "sum/1")
    config = {"name": "sum", "base_path": "sum", "stateful": True, "max_sequence_number": MOST, "max_queue": 200}
    (root / "config.json").write_text(json.dumps({"model_config_list": [{"config": config}]}))
    server = ServerProcess("--config_path", str(root), rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


VALUES = np.random.default_rng(0).integers(0, 1000, (MOST, STEPS)).astype(np.float32)
SUMS = VALUES.cumsum(axis=1)


def x(value: float) -> np.ndarray:
    return np.float32([value])


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["grpc", "rest"])
def test_fifty_interleaved_sequences_have_fifty_sums(of_triton: ServerProcess, scheme: str) -> None:
    with Client(scheme + (of_triton.rest_address if scheme else of_triton.address)) as client:

        def ask(name: int, at: int) -> float:
            flags = {"sequence_start": at == 0, "sequence_end": at == STEPS - 1}
            return client.infer("sum", x(VALUES[name, at]), sequence_id=f"s{name}", **flags)["y"].item()

        with ThreadPoolExecutor(8) as threads:
            got = [list(threads.map(ask, range(MOST), [at] * MOST)) for at in range(STEPS)]
    assert (np.transpose(got) == SUMS).all()


def test_a_stream_carries_fifty_whose_requests_do_not_wait_for_answers(of_triton: ServerProcess) -> None:
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with triton.InferenceServerClient(of_triton.address) as client:
        client.start_stream(callback=lambda result, error: got.put((result, error)))
        for at in range(STEPS):
            for name in range(MOST):
                given = triton.InferInput("x", [1], "FP32")
                given.set_data_from_numpy(x(VALUES[name, at]))
                client.async_stream_infer(
                    "sum",
                    [given],
                    request_id=f"{name} {at}",
                    sequence_id=name + 1,
                    sequence_start=at == 0,
                    sequence_end=at == STEPS - 1,
                )
        answers = [got.get(timeout=60) for _ in range(MOST * STEPS)]
        client.stop_stream()
    assert [error for _, error in answers if error is not None] == []
    for result, _ in answers:
        name, at = map(int, result.get_response().id.split())
        assert result.as_numpy("y").item() == SUMS[name, at]


def test_one_stream_of_one_sequence_keeps_its_order(of_triton: ServerProcess) -> None:
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with triton.InferenceServerClient(of_triton.address) as client:
        client.start_stream(callback=lambda result, error: got.put((result, error)))
        for at in range(100):
            given = triton.InferInput("x", [1], "FP32")
            given.set_data_from_numpy(x(at))
            client.async_stream_infer("sum", [given], sequence_id=9, sequence_start=at == 0, sequence_end=at == 99)
        answers = [got.get(timeout=60) for _ in range(100)]
        client.stop_stream()
    assert [error for _, error in answers if error is not None] == []
    assert [result.as_numpy("y").item() for result, _ in answers] == np.arange(100).cumsum().tolist()


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["grpc", "rest"])
def test_tritons_errors(of_triton: ServerProcess, scheme: str) -> None:
    with Client(scheme + (of_triton.rest_address if scheme else of_triton.address)) as client:
        with pytest.raises(InvalidRequest, match="must specify a non-zero or non-empty correlation ID"):
            client.infer("sum", x(1))
        with pytest.raises(InvalidRequest, match="for sequence 77 to model 'sum' must specify the START flag"):
            client.infer("sum", x(1), sequence_id=77)
        client.infer("hasty", x(1), sequence_id=78, sequence_start=True)
        with pytest.raises(InvalidRequest, match="for sequence 78 to model 'hasty' must specify the START flag"):
            client.infer("hasty", x(1), sequence_id=78)


def test_one_over_the_limit_is_refused_and_they_are_counted(of_triton: ServerProcess) -> None:
    door = HttpDoor(of_triton.rest_address)

    def active() -> str:
        return re.findall(rb'ovserve_sequences_active\{name="sum",version="1"\} (\d+)', door.get("/metrics").body)[0]

    with Client(of_triton.address) as client:
        for name in range(MOST):
            client.infer("sum", x(1), sequence_id=1000 + name, sequence_start=True)
        assert active() == b"50"
        with pytest.raises(NotReady, match="50 sequences have begun and not ended, as many as max_sequence_number"):
            client.infer("sum", x(1), sequence_id=2000, sequence_start=True)
        for name in range(MOST):
            assert client.infer("sum", x(2), sequence_id=1000 + name, sequence_end=True)["y"].item() == 3
    assert active() == b"0"


def test_without_sequences_no_client_sees_the_state_of_another_and_the_log_warns(of_triton: ServerProcess) -> None:
    with Client(of_triton.address) as client:
        assert [client.infer("plain", x(5))["y"].item() for _ in range(20)] == [5] * 20
    assert "which begin anew with each request" in of_triton.log


# OVMS's form


def inputs(value: float, name: int, control: int | None = None) -> dict[str, np.ndarray]:
    given = {"x": x(value), "sequence_id": np.uint64([name])}
    return given if control is None else given | {"sequence_control_input": np.uint32([control])}


def control_at(at: int) -> int:
    return 1 if at == 0 else 2 if at == STEPS - 1 else 0


def by_tfs_grpc(server: ServerProcess) -> Callable[[int, int], float]:
    wire = TfsWire(grpc.insecure_channel(server.address))
    return lambda name, at: wire.predict("sum", inputs(VALUES[name, at], name + 1, control_at(at)))["y"].item()


def by_tfs_rest(server: ServerProcess) -> Callable[[int, int], float]:
    def ask(name: int, at: int) -> float:
        body = {key: array.tolist() for key, array in inputs(VALUES[name, at], name + 1, control_at(at)).items()}
        answer = HttpDoor(server.rest_address).ask("POST", "/v1/models/sum:predict", {"inputs": body})
        assert answer.json["outputs"]["sequence_id"] == [name + 1]
        return answer.json["outputs"]["y"][0]

    return ask


def by_kserve(server: ServerProcess) -> Callable[[int, int], float]:
    wire = Wire(server.address)
    return lambda name, at: (
        wire.infer(request("sum", inputs(VALUES[name, at], name + 1, control_at(at)))).outputs["y"].item()
    )


@pytest.mark.parametrize("door", [by_tfs_grpc, by_tfs_rest, by_kserve])
def test_fifty_interleaved_sequences_in_ovms_form(
    of_ovms: ServerProcess, door: Callable[[ServerProcess], Callable[[int, int], float]]
) -> None:
    ask = door(of_ovms)
    with ThreadPoolExecutor(8) as threads:
        got = [list(threads.map(ask, range(MOST), [at] * MOST)) for at in range(STEPS)]
    assert (np.transpose(got) == SUMS).all()


ERRORS = [
    (inputs(1, 900), grpc.StatusCode.NOT_FOUND, 404, "Sequence with provided ID does not exist"),
    (inputs(1, 901, 1), grpc.StatusCode.ALREADY_EXISTS, 409, "Sequence with provided ID already exists"),
    ({"x": x(1)}, grpc.StatusCode.INVALID_ARGUMENT, 400, "Sequence ID has not been provided in request inputs"),
    (inputs(1, 901, 3), grpc.StatusCode.INVALID_ARGUMENT, 400, "Unexpected value of sequence control input"),
]


@pytest.mark.parametrize(("given", "code", "status", "text"), ERRORS)
def test_ovms_errors(
    of_ovms: ServerProcess, given: dict[str, np.ndarray], code: grpc.StatusCode, status: int, text: str
) -> None:
    wire = TfsWire(grpc.insecure_channel(of_ovms.address))
    wire.predict("sum", inputs(1, 901, 1))
    try:
        got = wire.call(f"{PREDICTION}Predict", predict_request("sum", given))
        assert (got.code, got.details[: len(text)]) == (code, text)
        body = {"inputs": {name: array.tolist() for name, array in given.items()}}
        answer = HttpDoor(of_ovms.rest_address).ask("POST", "/v1/models/sum:predict", body)
        assert (answer.status, answer.error[: len(text)]) == (status, text)
    finally:
        wire.predict("sum", inputs(1, 901, 2))


def test_one_over_the_limit_is_unavailable_as_in_ovms(of_ovms: ServerProcess) -> None:
    wire = TfsWire(grpc.insecure_channel(of_ovms.address))
    drawn = [int(wire.predict("sum", inputs(1, 0, 1))["sequence_id"].item()) for _ in range(MOST)]
    assert len(set(drawn)) == MOST
    got = wire.call(f"{PREDICTION}Predict", predict_request("sum", inputs(1, 0, 1)))
    assert got.code is grpc.StatusCode.UNAVAILABLE
    body = {"inputs": {"x": [1], "sequence_id": [0], "sequence_control_input": [1]}}
    assert HttpDoor(of_ovms.rest_address).ask("POST", "/v1/models/sum:predict", body).status == 503
    for name in drawn:
        assert wire.predict("sum", inputs(2, name, 2))["y"].item() == 3


def test_metadata_shows_what_the_model_has(of_ovms: ServerProcess) -> None:
    data = Wire(of_ovms.address).call("ModelMetadata", pb.ModelMetadataRequest(name="sum")).data
    assert [tensor.name for tensor in pb.ModelMetadataResponse.FromString(data).inputs] == ["x"]


def test_a_stateful_model_cannot_be_in_a_pipeline(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.running_sum(), repository / "sum/1")
    config = {
        "model_config_list": [{"config": {"name": "sum", "base_path": "sum", "stateful": True}}],
        "pipeline_config_list": [
            {
                "name": "p",
                "inputs": ["x"],
                "nodes": [
                    {
                        "name": "n",
                        "model_name": "sum",
                        "type": "DL model",
                        "inputs": [{"x": {"node_name": "request", "data_item": "x"}}],
                        "outputs": [{"data_item": "y", "alias": "y"}],
                    }
                ],
                "outputs": [{"y": {"node_name": "n", "data_item": "y"}}],
            }
        ],
    }
    (repository / "config.json").write_text(json.dumps(config))
    client = Client(serve("--config_path", str(repository)).address)
    with client, pytest.raises(OVClientError, match="sequence_id"):
        client.infer("p", x(1))


ENSEMBLE = """
platform: "ensemble"
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
ensemble_scheduling { step [
  { model_name: "m" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } ] }
"""


def test_the_members_of_an_ensemble_are_in_its_sequence(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.running_sum(), repository / "m/1")
    (repository / "m/config.pbtxt").write_text(PBTXT % (HOUR_US, MOST))
    (repository / "e/1").mkdir(parents=True)
    (repository / "e/config.pbtxt").write_text(ENSEMBLE)
    with Client(serve("--model_repository", str(repository)).address) as client:
        got = [client.infer("e", x(2), sequence_id=5, sequence_start=at == 0)["y"].item() for at in range(3)]
        assert got == [2, 4, 6]
        with pytest.raises(InvalidRequest, match="must specify the START flag"):
            client.infer("e", x(1), sequence_id=6)


# A new version


def test_a_sequence_ends_on_the_version_that_it_began_on(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(small_models.running_sum(), repository / "m/1")
    (repository / "m/config.pbtxt").write_text(PBTXT % (HOUR_US, MOST))
    server = watched()
    client = server.client
    client.infer("m", x(1), sequence_id=1, sequence_start=True)
    small_models.save(small_models.running_sum(), repository / "m/2")
    server.wait_state("2", "READY")
    server.wait(lambda: server.rows().get("1", ("",))[0] != "READY")
    going_on = client.infer("m", x(2), sequence_id=1, sequence_end=True)
    assert (going_on.version, going_on["y"].item()) == ("1", 3)
    new = client.infer("m", x(2), sequence_id=1, sequence_start=True)
    assert (new.version, new["y"].item()) == ("2", 2)


def test_a_stateful_model_without_variables_is_not_served(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.add_one([1]), repository / "good/1")
    small_models.save(small_models.add_one([1]), repository / "m/1")
    (repository / "m/config.pbtxt").write_text('parameters { key: "STATEFUL" value: { string_value: "true" } }')
    client = Client(serve("--model_repository", str(repository)).address)
    with client, pytest.raises(OVClientError, match="it is to be stateful, but has no variables"):
        client.infer("m", x(1))


def test_the_sums_of_threads_that_race_are_whole(of_triton: ServerProcess) -> None:
    """Every request of a sequence counts once, in whatever order they come."""
    with Client(of_triton.address) as client:
        client.infer("sum", x(0), sequence_id="race", sequence_start=True)
        begin = threading.Barrier(8)

        def add(_: int) -> None:
            begin.wait(30)
            for _ in range(10):
                client.infer("sum", x(1), sequence_id="race")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, range(8)))
        assert client.infer("sum", x(0), sequence_id="race", sequence_end=True)["y"].item() == 80
