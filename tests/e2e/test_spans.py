"""OpenTelemetry's spans of inference requests, from the client's trace to the collector's socket."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as pb_grpc

import small_models
from ovserve import cli
from pipelines import document, node
from server_process import ServerProcess, run_ovserve
from span_collector import Collected, SpanCollector
from watched import adding
from wire_server import request

Serve = Callable[..., ServerProcess]

X = np.array([[1, 2]], np.float32)
TRACE, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = ("traceparent", f"00-{TRACE}-{CLIENT}-01")
UNSAMPLED = ("traceparent", f"00-{TRACE}-{CLIENT}-00")
SERVER_KIND = 2
QUICKLY = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


@pytest.fixture(scope="module")
def collector_of_all() -> Iterator[SpanCollector]:
    collector = SpanCollector()
    yield collector
    collector.close()


@pytest.fixture
def collector(collector_of_all: SpanCollector) -> SpanCollector:
    """With nothing in it: each test waits for the spans of all its requests."""
    collector_of_all.spans.clear()
    return collector_of_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models `a` and `b`, and the pipeline `p` of one after the other."""
    folder = tmp_path_factory.mktemp("models")
    small_models.save(adding(1), folder / "a/1")
    small_models.save(adding(10), folder / "b/1")
    models = [{"config": {"name": name, "base_path": name}} for name in "ab"]
    chain = document(node("first", "a"), node("second", "b", inputs={"x": "first.y"}))
    (folder / "config.json").write_text(json.dumps({"model_config_list": models, "pipeline_config_list": [chain]}))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, collector_of_all: SpanCollector) -> Iterator[ServerProcess]:
    flags = ("--config_path", str(folder), "--otlp_endpoint", collector_of_all.endpoint)
    server = ServerProcess(*flags, rest=True, env=QUICKLY)
    yield server
    assert server.stop() == 0


@pytest.fixture
def stub(server: ServerProcess) -> Iterator[pb_grpc.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(server.address) as channel:
        yield pb_grpc.GRPCInferenceServiceStub(channel)


def requests(spans: list[Collected]) -> list[Collected]:
    return [span for span in spans if span.name == "infer"]


def test_a_request_is_a_span_in_the_clients_trace_with_its_stages_within(
    stub: pb_grpc.GRPCInferenceServiceStub, collector: SpanCollector
) -> None:
    stub.ModelInfer(request("a", {"x": X}, id="7"), metadata=[PARENT])
    spans = {span.name: span for span in collector.wait(requests)}
    whole, queue, run = spans["infer"], spans["queue"], spans["run"]
    assert (whole.trace_id, whole.parent_id, whole.kind, whole.error) == (TRACE, CLIENT, SERVER_KIND, None)
    assert whole.attributes == {
        "rpc.system": "grpc",
        "ovserve.api": "KServe",
        "ovserve.interface": "gRPC",
        "ovserve.model": "a",
        "ovserve.version": "1",
        "ovserve.request_id": "7",
        "ovserve.code": "OK",
    }
    assert {queue.parent_id, run.parent_id} == {whole.span_id}
    assert whole.begun_ns <= queue.begun_ns <= queue.ended_ns <= run.begun_ns <= run.ended_ns <= whole.ended_ns
    assert collector.services == {"ovserve"}


def test_a_refused_request_is_a_span_with_an_error(
    stub: pb_grpc.GRPCInferenceServiceStub, collector: SpanCollector
) -> None:
    with pytest.raises(grpc.RpcError):
        stub.ModelInfer(request("nope", {"x": X}))
    (span,) = collector.wait(requests)
    assert (span.attributes["ovserve.code"], span.attributes["ovserve.model"]) == ("NOT_FOUND", "nope")
    assert "model 'nope'" in span.error
    assert span.parent_id == ""


def test_a_client_that_does_not_sample_has_no_spans(
    stub: pb_grpc.GRPCInferenceServiceStub, collector: SpanCollector
) -> None:
    stub.ModelInfer(request("a", {"x": X}, id="unsampled"), metadata=[UNSAMPLED])
    stub.ModelInfer(request("a", {"x": X}, id="sampled"), metadata=[PARENT])
    assert [span.attributes["ovserve.request_id"] for span in requests(collector.wait(requests))] == ["sampled"]


def test_requests_of_a_stream_are_in_the_streams_trace(
    stub: pb_grpc.GRPCInferenceServiceStub, collector: SpanCollector
) -> None:
    list(stub.ModelStreamInfer(iter([request("a", {"x": X}), request("a", {"x": X})]), metadata=[PARENT]))
    spans = requests(collector.wait(lambda spans: len(requests(spans)) == 2))
    assert {(span.trace_id, span.parent_id) for span in spans} == {(TRACE, CLIENT)}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/models/a/infer", {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}),
        ("/v1/models/a:predict", {"instances": [[1, 2]]}),
    ],
)
def test_the_trace_comes_over_http_too(
    server: ServerProcess, collector: SpanCollector, path: str, body: dict[str, object]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    connection.request("POST", path, json.dumps(body), dict([PARENT]))
    assert connection.getresponse().status == 200
    connection.close()
    (span,) = requests(collector.wait(requests))
    assert (span.trace_id, span.parent_id) == (TRACE, CLIENT)
    assert "rpc.system" not in span.attributes


def test_each_node_of_a_pipeline_is_a_span(stub: pb_grpc.GRPCInferenceServiceStub, collector: SpanCollector) -> None:
    stub.ModelInfer(request("p", {"x": X}), metadata=[PARENT])
    spans = collector.wait(requests)
    (run,) = (span for span in spans if span.name == "run")
    first, second = (span for span in spans if span.name == "node")
    assert {first.parent_id, second.parent_id} == {run.span_id}
    assert [(span.attributes["ovserve.node"], span.attributes["ovserve.model"]) for span in (first, second)] == [
        ("first", "a"),
        ("second", "b"),
    ]
    assert run.begun_ns <= first.begun_ns <= first.ended_ns <= second.begun_ns <= second.ended_ns <= run.ended_ns


def test_what_is_left_goes_out_when_the_server_stops(serve: Serve, folder: Path, collector: SpanCollector) -> None:
    env = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    server = serve("--config_path", str(folder), "--tracing", env=env)
    with grpc.insecure_channel(server.address) as channel:
        pb_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request("a", {"x": X}))
    assert server.stop() == 0
    assert len(requests(collector.spans)) == 1


def test_a_collector_that_is_not_there_harms_no_request_and_no_stop(serve: Serve, folder: Path) -> None:
    collector = SpanCollector()
    collector.close()
    server = serve("--config_path", str(folder), "--otlp_endpoint", collector.endpoint, env=QUICKLY)
    with grpc.insecure_channel(server.address) as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        until_s = time.monotonic() + 60
        while "exporting traces" not in server.log:
            assert isinstance(stub.ModelInfer(request("a", {"x": X})), pb.ModelInferResponse)
            assert time.monotonic() < until_s, server.log
    assert server.stop(timeout_s=20) == 0


def test_without_the_extra_the_flag_says_what_to_install(folder: Path) -> None:
    code = "import sys; sys.modules['opentelemetry.sdk'] = None; from ovserve import cli; cli.main()"
    arguments = ["--config_path", str(folder), "--port", "auto", "--otlp_endpoint", "http://127.0.0.1:4317"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "ovserve: --otlp_endpoint needs OpenTelemetry: pip install 'ovserve[tracing]'\n"


def test_without_the_flag_the_extra_is_not_imported(folder: Path) -> None:
    code = f"""
import sys, ovserve
from ovserve import app
from ovserve.frontends.rest import server
ovserve.load(config_path={str(folder)!r})
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4317", "ftp://h:1", "http://", "http://h:port", "http://u:p@h:1", "http://h:4318/v1/traces"]
)
def test_what_is_no_collectors_address_is_refused(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--config_path", str(folder / "nowhere"), "--otlp_endpoint", url])
    assert ended.value.code == 2
    assert "expected http://HOST:PORT" in capsys.readouterr().err


def test_a_wrong_variable_of_opentelemetrys_is_told_in_one_line(folder: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}
    done = run_ovserve("--config_path", str(folder), "--port", "auto", "--tracing", env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("ovserve: --tracing: ")
    assert done.stderr.count("\n") == 1


def test_a_password_in_opentelemetrys_variable_ends_the_start_and_is_not_repeated(folder: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:hunter2@127.0.0.1:4317"}
    done = run_ovserve("--config_path", str(folder), "--port", "auto", "--tracing", env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("ovserve: --tracing: OTEL_EXPORTER_OTLP_ENDPOINT names a user")
    assert "hunter2" not in done.stderr


def test_a_malformed_header_of_opentelemetrys_is_told_without_what_it_holds(folder: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization hunter2"}
    done = run_ovserve("--config_path", str(folder / "nowhere"), "--port", "auto", "--tracing", env=env)
    assert "Header format invalid!" in done.stderr
    assert "hunter2" not in done.stderr
