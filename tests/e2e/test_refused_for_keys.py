"""What an operator sees of those whom keys keep out: a metric, and lines of the log, without a word of the key."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import small_models
from http_door import HttpDoor
from server_process import ServerProcess
from tfs_wire import PREDICTION
from wire_server import SERVICE, Wire, request

ADMIN, USER, WRONG = "adm1n-key", "us3r-key", "n0body-key"
GOOD = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [0, 0]}]}
INFER = f"/{SERVICE.full_name}/ModelInfer"
STREAM = f"/{SERVICE.full_name}/ModelStreamInfer"
LOAD = f"/{SERVICE.full_name}/RepositoryModelLoad"


class Guarded:
    def __init__(self, root: Path) -> None:
        (root / "keys").write_text(f"{ADMIN}\n{USER} inference\n")
        small_models.save(small_models.add_one([2]), root / "repository/m/1")
        flags = ("--api_key_file", str(root / "keys"), "--metrics_enable", "--metrics_list", "ovms_streams")
        seen = ("--log_requests", "--log_format", "json")
        self.server = ServerProcess("--model_repository", str(root / "repository"), *flags, *seen, rest=True)

    def rest(self, method: str, path: str, key: str | None, body: object = None) -> int:
        door = HttpDoor(self.server.rest_address)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        status = door.ask(method, path, body, headers).status
        door.close()
        return status

    def grpc(self, call: str, key: str | None, message: bytes = b"") -> grpc.StatusCode:
        metadata = () if key is None else (("authorization", f"Bearer {key}"),)
        with grpc.insecure_channel(self.server.address) as channel:
            return channel.unary_unary(call).future(message, metadata=metadata, timeout=60).code()

    def counts(self) -> dict[tuple[str, str, str], float]:
        """What the metric counts, by interface, right and reason."""
        door = HttpDoor(self.server.rest_address)
        page = door.ask("GET", "/metrics", headers={"X-API-Key": ADMIN}).body.decode()
        door.close()
        return {
            (sample.labels["interface"], sample.labels["right"], sample.labels["reason"]): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if family.name == "ovserve_requests_refused"
        }

    def lines(self, count: int) -> list[dict[str, Any]]:
        """The first lines on requests, once there are `count`."""
        until_s = time.monotonic() + 60
        while True:
            whole = [line for line in self.server.log.splitlines(keepends=True) if line.endswith("\n")]
            found = [json.loads(line) for line in whole if '"event": "request"' in line]
            if len(found) >= count:
                return found
            assert time.monotonic() < until_s, self.server.log


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    guarded = Guarded(tmp_path)
    yield guarded
    assert guarded.rest("POST", "/v2/models/m/infer", USER, GOOD) == 200
    assert guarded.rest("GET", "/v2/health/ready", None) == 200
    message = request("m", {"x": np.zeros(2, np.float32)}).SerializeToString()
    assert guarded.grpc(INFER, USER, message) is grpc.StatusCode.OK
    wire = Wire(guarded.server.address)
    assert wire.call("ServerReady", b"").code is grpc.StatusCode.OK
    wire.close()
    assert guarded.server.stop() == 0
    for key in (ADMIN, USER, WRONG):
        assert key not in guarded.server.log


def test_refusals_are_counted_by_door_right_and_reason(guarded: Guarded) -> None:
    before = guarded.counts()
    assert (len(before), set(before.values())) == (12, {0})
    for number in range(3):
        assert guarded.rest("POST", f"/v2/models/made-up-{number}/infer", WRONG, GOOD) == 401
    assert guarded.rest("POST", "/v2/repository/models/m/load", USER) == 403
    assert guarded.rest("GET", "/metrics", None) == 401
    assert guarded.grpc(INFER, None) is grpc.StatusCode.UNAUTHENTICATED
    assert guarded.grpc(LOAD, USER) is grpc.StatusCode.PERMISSION_DENIED
    assert {kind: count for kind, count in guarded.counts().items() if count} == {
        ("REST", "inference", "UNAUTHENTICATED"): 3,
        ("REST", "management", "FORBIDDEN"): 1,
        ("REST", "metrics", "UNAUTHENTICATED"): 1,
        ("gRPC", "inference", "UNAUTHENTICATED"): 1,
        ("gRPC", "management", "FORBIDDEN"): 1,
    }
    assert guarded.counts().keys() == before.keys()


def test_refused_inference_is_a_line_of_the_log(guarded: Guarded) -> None:
    for call in (INFER, STREAM, f"{PREDICTION}Predict"):
        assert guarded.grpc(call, WRONG) is grpc.StatusCode.UNAUTHENTICATED
    for path in ("/v2/models/a%0Ab/infer", "/v2/models/m/versions/7/infer", "/v1/models/m/versions/2:predict"):
        assert guarded.rest("POST", path, WRONG, GOOD) == 401
    assert guarded.rest("GET", "/v2/models/m", WRONG) == 401
    found = guarded.lines(6)
    assert {line["code"] for line in found} == {"UNAUTHENTICATED"}
    assert all("the key sent is not known" in line["reason"] for line in found)
    assert [(line["api"], line["interface"], line["model"], line["version"]) for line in found] == [
        ("KServe", "gRPC", "", None),
        ("KServe", "gRPC", "", None),
        ("TensorFlowServing", "gRPC", "", None),
        ("KServe", "REST", "a\\nb", None),
        ("KServe", "REST", "m", 7),
        ("TensorFlowServing", "REST", "m", 2),
    ]


def test_without_keys_nothing_is_refused_for_one(tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    server = ServerProcess("--model_repository", str(tmp_path), "--metrics_enable", rest=True)
    door = HttpDoor(server.rest_address)
    assert b"ovserve_requests_refused" not in door.get("/metrics").body
    door.close()
    assert server.stop() == 0
