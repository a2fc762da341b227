"""/metrics over a real socket, read by prometheus-client's own parser."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import small_models
from ovclient import Client, InvalidRequest
from ovserve.config.metrics import ON_DEMAND, SHOWN
from pipelines import document, node
from server_process import ServerProcess, run_ovserve

Serve = Callable[..., ServerProcess]
Labels = dict[str, str]
X = np.zeros((1, 2), np.float32)


def get(server: ServerProcess, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://{server.rest_address}{path}") as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def scrape(server: ServerProcess) -> dict[str, list[tuple[Labels, float]]]:
    """Labels and value of every sample, by the sample's name, to which the parser adds that a counter is one."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(get(server)):
        for sample in family.samples:
            found.setdefault(sample.name.removesuffix("_total"), []).append((sample.labels, sample.value))
    return found


def value(samples: list[tuple[Labels, float]], **labels: str) -> float:
    (found,) = [number for given, number in samples if labels.items() <= given.items()]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model `m`, and a pipeline `p` that runs it twice."""
    folder = tmp_path_factory.mktemp("models")
    small_models.save(small_models.add_one([1, 2]), folder / "m/1")
    nodes = node("a", "m"), node("b", "m", inputs={"x": "a.y"})
    pipelines = [document(*nodes)]
    models = [{"config": {"name": "m", "base_path": "m", "nireq": 3}}]
    (folder / "config.json").write_text(json.dumps({"model_config_list": models, "pipeline_config_list": pipelines}))
    return folder


def start(serve: Serve, folder: Path, *arguments: str) -> ServerProcess:
    return serve("--config_path", str(folder), "--metrics_enable", *arguments, rest=True)


def test_requests_are_counted_by_door_and_outcome(serve: Serve, folder: Path) -> None:
    server = start(serve, folder)
    with Client(server.address) as client:
        for _ in range(3):
            client.infer("m", X)
        with pytest.raises(InvalidRequest):
            client.infer("m", {"x": np.zeros((1, 3), np.float32)})
        client.infer("p", X)
    found = scrape(server)
    labels = {"api": "KServe", "interface": "gRPC", "method": "ModelInfer", "version": "1"}
    assert value(found["ovms_requests_success"], **labels, name="m") == 3
    shown = 'api="KServe",interface="gRPC",method="ModelInfer",name="m",version="1"'
    assert f"\novms_requests_success{{{shown}}} 3\n" in get(server)
    assert value(found["ovms_requests_fail"], **labels, name="m") == 1
    assert value(found["ovms_requests_success"], **labels, name="p") == 1
    assert value(found["ovms_requests_success"], **{**labels, "interface": "REST"}, name="m") == 0
    assert (
        value(found["ovms_requests_success"], **{**labels, "api": "TensorFlowServing", "method": "Predict"}, name="m")
        == 0
    )


def test_times_are_histograms_of_microseconds(serve_once: Serve, folder: Path) -> None:
    server = start(serve_once, folder)  # which no other test asks for inferences
    with Client(server.address) as client:
        for _ in range(5):
            client.infer("m", X)
    found = scrape(server)
    total = {"name": "m", "version": "1", "interface": "gRPC"}
    assert value(found["ovms_request_time_us_count"], **total) == 5
    assert value(found["ovms_request_time_us_bucket"], **total, le="+Inf") == 5
    assert value(found["ovms_inference_time_us_count"], name="m", version="1") == 5
    spent = value(found["ovms_request_time_us_sum"], **total)
    assert 0 < value(found["ovms_inference_time_us_sum"], name="m", version="1") < spent
    buckets = [number for labels, number in found["ovms_request_time_us_bucket"] if total.items() <= labels.items()]
    assert (len(buckets), buckets) == (34, sorted(buckets))
    assert [labels["le"] for labels, _ in found["ovms_request_time_us_bucket"]][:4] == ["10", "18", "32", "58"]


def test_the_families_shown_are_ovmss_own_choice_or_those_named(serve: Serve, serve_once: Serve, folder: Path) -> None:
    families = {family.name for family in text_string_to_metric_families(get(start(serve_once, folder)))}
    assert families == set(SHOWN)
    server = start(serve, folder, "--metrics_list", ",".join(ON_DEMAND))
    found = scrape(server)
    assert found == {
        "ovms_infer_req_queue_size": [({"name": "m", "version": "1"}, 3)],
        "ovms_infer_req_active": [({"name": "m", "version": "1"}, 0)],
    }


def test_config_json_can_ask_for_them(serve: Serve, folder: Path) -> None:
    configured = json.loads((folder / "config.json").read_text())
    configured["monitoring"] = {"metrics": {"enable": True, "metrics_list": ["ovms_streams"]}}
    file = folder / "monitored.json"
    file.write_text(json.dumps(configured))
    server = serve("--config_path", str(file), rest=True)
    assert scrape(server).keys() == {"ovms_streams"}
    ended = run_ovserve("--config_path", str(file), "--port", "auto")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "rest_port setting is missing, metrics are enabled on rest port" in ended.stderr


def test_cores_bound_the_streams_of_a_model(serve: Serve, folder: Path) -> None:
    server = start(serve, folder, "--cores", "1", "--metrics_list", "ovms_streams")
    assert value(scrape(server)["ovms_streams"], name="m") == 1


def test_tritons_metrics_on_demand(serve: Serve, folder: Path) -> None:
    server = start(serve, folder, "--triton_metrics")
    with Client(server.address) as client:
        client.infer("p", X)
    found = scrape(server)
    of_m = {"model": "m", "version": "1"}
    assert value(found["nv_inference_request_success"], **of_m) == 2
    assert value(found["nv_inference_exec_count"], model="p", version="1") == 1
    assert value(found["nv_inference_request_failure"], **of_m, reason="BACKEND") == 0
    assert value(found["nv_inference_request_duration_us"], **of_m) > 0
    assert value(found["nv_inference_pending_request_count"], **of_m) == 0


def test_without_metrics_there_is_no_such_page(serve: Serve, folder: Path) -> None:
    server = serve("--config_path", str(folder), rest=True)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        get(server)
    assert refusal.value.code == 404


def test_a_query_is_ignored(serve_once: Serve, folder: Path) -> None:
    assert "ovms_streams" in get(start(serve_once, folder), "/metrics?test=test")
