"""--grpc_workers: several processes behind one port, and one control plane."""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.utils.shared_memory as shm
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

import pipelines
import python_models
import small_models
from authority import Authority, replace
from counts import counted, metrics
from server_process import ServerProcess, run_ovserve
from span_collector import SpanCollector
from tfs_wire import TfsWire
from worker_processes import OWN_CONNECTION, client, connections, kill, tensor, wait_until, workers

Serve = Callable[..., ServerProcess]
Clients = list[triton.InferenceServerClient]

MANY = Path(__file__).parent.parent / "on_many_cores.py"
WORKERS, NIREQ = 3, 2
SHOWN = "ovms_requests_success,ovms_requests_fail,ovms_request_time_us,ovms_current_requests,ovms_infer_req_queue_size"
GONE = "StatusCode.NOT_FOUND: model '{}' is not found"
SEQUENCES = "sequence_batching { max_sequence_idle_microseconds: 3600000000 }"
COUNTING = """
if not hasattr(self, "metric"):
    family = pb_utils.MetricFamily("asked", "how often", pb_utils.MetricFamily.COUNTER)
    self.family, self.metric = family, family.Metric(labels={"of": "counting"})
self.metric.increment(1)
"""
GATED = """
open(f"{root}/inside-{{os.getpid()}}", "w").close()
while not os.path.exists("{root}/go"):
    time.sleep(0.01)
"""
REPEATING = f"""
sender = requests[0].get_response_sender()
for step in range(1, 4):
    sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", {python_models.ARRAY} * step)]))
sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
"""
DECOUPLED = "model_transaction_policy { decoupled: true }"
BLS = f"""
x = pb_utils.Tensor("x", {python_models.ARRAY})
inner = pb_utils.InferenceRequest(model_name="m", requested_output_names=["y"], inputs=[x]).exec()
return [pb_utils.InferenceResponse(inner.output_tensors())]
"""


def lay_out(root: Path) -> Path:
    small_models.save(small_models.add_one([2]), root / "m/1")
    small_models.save(small_models.running_sum(), root / "sum/1")
    (root / "sum/config.pbtxt").write_text(SEQUENCES)
    for name, execute in (("counting", COUNTING + python_models.DOUBLE), ("calling", BLS)):
        (root / name / "1").mkdir(parents=True)
        (root / name / "1/model.py").write_text(python_models.source(execute))
        (root / name / "config.pbtxt").write_text('backend: "python"')
    (root / "ensemble/1").mkdir(parents=True)
    (root / "ensemble/config.pbtxt").write_text(pipelines.ENSEMBLE)
    return root


@pytest.fixture(scope="module")
def collector() -> Iterator[SpanCollector]:
    collector = SpanCollector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: SpanCollector) -> Iterator[ServerProcess]:
    """Three processes, in mode explicit, with all that `lay_out` lays out."""
    root = lay_out(tmp_path_factory.mktemp("workers"))
    flags = f"--model_control_mode explicit --load_model * --grpc_workers {WORKERS} --nireq {NIREQ}"
    shown = f"--metrics_enable --metrics_list {SHOWN} --log_format json --otlp_endpoint {collector.endpoint}"
    made = ServerProcess(
        "--model_repository",
        str(root),
        *flags.split(),
        *shown.split(),
        rest=True,
        program=[str(MANY)],
        env={"OTEL_BSP_SCHEDULE_DELAY": "50"},
    )
    made.root = root
    yield made
    assert made.stop() == 0
    assert "internal error" not in made.log


@pytest.fixture
def clients(server: ServerProcess) -> Iterator[Clients]:
    """A client of each process."""
    with each_process(server) as found:
        yield found


@contextmanager
def each_process(server: ServerProcess, **options: object) -> Iterator[Clients]:
    wait_until(lambda: sum(connections(server).values()) == 0)
    with ExitStack() as stack:
        yield [stack.enter_context(client(server, **options)) for _ in range(1 + len(workers(server)))]


def ask(of: triton.InferenceServerClient, model: str = "m", values: object = (1, 2), **options: Any) -> list[float]:
    return of.infer(model, [tensor("x", values)], **options).as_numpy("y").tolist()


def refusal(of: triton.InferenceServerClient, model: str) -> str:
    with pytest.raises(InferenceServerException) as refused:
        ask(of, model)
    return f"{refused.value.status()}: {refused.value.message()}"


# Who answers


def test_connections_go_to_whoever_has_the_fewest(server: ServerProcess) -> None:
    wait_until(lambda: sum(connections(server).values()) == 0)
    with ExitStack() as stack:
        first = [stack.enter_context(client(server)) for _ in range(6)]
        assert sorted(connections(server).values()) == [2, 2, 2]
        for closed in first[:2]:
            closed.close()
        wait_until(lambda: sum(connections(server).values()) == 4)
        for _ in range(2):
            stack.enter_context(client(server))
        assert sorted(connections(server).values()) == [2, 2, 2]


def test_every_process_gives_the_same_answers(server: ServerProcess, clients: Clients) -> None:
    assert sorted(connections(server).values()) == [1, 1, 1]
    for model, expected in (("m", [2, 3]), ("ensemble", [2, 3]), ("counting", [2, 4]), ("calling", [2, 3])):
        assert [ask(each, model) for each in clients] == [expected] * WORKERS
    assert len({str(each.get_model_config(model)) for each in clients for model in ["m"]}) == 1
    for model in ("m", "sum", "ensemble", "calling"):
        assert len({str(each.get_model_config(model)) for each in clients}) == 1
        assert len({str(each.get_model_metadata(model)) for each in clients}) == 1
    assert all(
        each.is_server_ready() and each.is_model_ready("m") and not each.is_model_ready("no") for each in clients
    )
    assert len({refusal(each, "no") for each in clients}) == 1


def test_health_and_tensorflow_serving_are_in_every_process(server: ServerProcess) -> None:
    wait_until(lambda: sum(connections(server).values()) == 0)
    told = set()
    with ExitStack() as stack:
        for _ in range(WORKERS):
            channel = stack.enter_context(grpc.insecure_channel(server.address, OWN_CONNECTION))
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="m"), timeout=30)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            tfs = TfsWire(channel)
            assert tfs.predict("m", {"x": np.float32([1, 2])})["y"].tolist() == [2, 3]
            told.add((str(tfs.signature("m")), tfs.status("m").data, tfs.status("no").details))
        assert len(told) == 1
        assert sorted(connections(server).values()) == [1, 1, 1]


# What is decided for all


def test_a_load_and_an_unload_hold_in_every_process(server: ServerProcess, clients: Clients) -> None:
    for asked in clients:
        small_models.save(small_models.add_one([2]), server.root / "later/1")
        asked.load_model("later")
        assert [ask(each, "later") for each in clients] == [[2, 3]] * WORKERS
        asked.unload_model("later")
        wait_until(lambda: {refusal(each, "later") for each in clients} == {GONE.format("later")})
        wait_until(lambda: len({str(each.get_model_repository_index()) for each in clients}) == 1)


def test_what_one_process_refuses_to_load_none_serves(server: ServerProcess, clients: Clients) -> None:
    (server.root / "broken/1").mkdir(parents=True, exist_ok=True)
    (server.root / "broken/1/model.py").write_text("raise ValueError('no')")
    (server.root / "broken/config.pbtxt").write_text('backend: "python"')
    told = []
    for asked in clients:
        with pytest.raises(InferenceServerException) as refused:
            asked.load_model("broken")
        told.append(refused.value.message())
    assert len(set(told)) == 1
    assert "ValueError: no" in told[0]
    assert len({refusal(each, "broken") for each in clients}) == 1


def test_a_worker_that_refuses_keeps_a_version_from_being_served(server: ServerProcess, clients: Clients) -> None:
    top = f"""
    try:
        open("{server.root}/taken", "x").close()
    except FileExistsError:
        raise ValueError("it was taken") from None
    """
    (server.root / "single/1").mkdir(parents=True)
    (server.root / "single/1/model.py").write_text(python_models.source(top=top))
    (server.root / "single/config.pbtxt").write_text('backend: "python"')
    with pytest.raises(InferenceServerException, match="it was taken"):
        clients[0].load_model("single")
    assert len({refusal(each, "single") for each in clients}) == 1


def test_nothing_is_lost_while_a_model_is_loaded_anew_with_and_without_success(
    server: ServerProcess, clients: Clients
) -> None:
    small_models.save(small_models.add_one([2]), server.root / "busy/1")
    clients[0].load_model("busy")
    stop, answers = threading.Event(), []

    def go_on(of: triton.InferenceServerClient) -> None:
        while not stop.is_set():
            answers.append(ask(of, "busy"))

    with ThreadPoolExecutor(WORKERS) as threads:
        loops = [threads.submit(go_on, each) for each in clients]
        for number in range(3):
            small_models.save(small_models.add_one([2]), server.root / "busy/1")
            if number == 1:
                (server.root / "busy/1/model.xml").write_text("<net")
                with pytest.raises(InferenceServerException):
                    clients[0].load_model("busy")
            else:
                clients[number].load_model("busy")
        stop.set()
        for loop in loops:
            loop.result()
    assert len(answers) > WORKERS
    assert all(answer == [2, 3] for answer in answers)


def test_shared_memory_registered_over_one_connection_is_there_over_every_other(clients: Clients) -> None:
    region = shm.create_shared_memory_region("given", "/ovserve-workers", 8)
    try:
        for registering in clients:
            shm.set_shared_memory_region(region, [np.float32([1, 2])])
            registering.register_system_shared_memory("given", "/ovserve-workers", 8)
            for each in clients:
                x = triton.InferInput("x", [2], "FP32")
                x.set_shared_memory("given", 8)
                assert each.infer("m", [x]).as_numpy("y").tolist() == [2, 3]
                assert list(each.get_system_shared_memory_status().regions) == ["given"]
            clients[0].unregister_system_shared_memory("given")
            for each in clients:
                with pytest.raises(InferenceServerException, match="not registered"):
                    each.infer("m", [x])
    finally:
        shm.destroy_shared_memory_region(region)


def test_a_sequence_may_come_over_any_connection(clients: Clients) -> None:
    got = [
        ask(clients[step % WORKERS], "sum", [step + 1], sequence_id=7, sequence_start=step == 0, sequence_end=step == 8)
        for step in range(9)
    ]
    assert got == [[sum(range(step + 2))] for step in range(9)]


def test_streams_over_several_connections_share_a_sequence(clients: Clients) -> None:
    got: dict[int, float] = {}
    for step in range(6):
        done = threading.Event()
        of = clients[step % WORKERS]

        def take(result: Any, error: Any, step: int = step, done: threading.Event = done) -> None:
            got[step] = error or result.as_numpy("y").item()
            done.set()

        of.start_stream(take)
        of.async_stream_infer(
            "sum", [tensor("x", [1])], sequence_id=8, sequence_start=step == 0, sequence_end=step == 5
        )
        assert done.wait(30)
        of.stop_stream()
    assert got == {step: step + 1 for step in range(6)}


def test_a_sequence_that_is_refused_is_refused_in_the_same_words(clients: Clients) -> None:
    assert len({refusal(each, "sum").replace("x", "") for each in clients}) == 1


def test_log_settings_hold_in_every_process(server: ServerProcess, clients: Clients) -> None:
    for number, asked in enumerate(clients):
        set_log(asked, log_requests=True)
        for each in clients:
            ask(each, request_id=f"logged-{number}")
        wait_until(lambda number=number: server.log.count(f'"logged-{number}"') == WORKERS)
        set_log(asked, log_requests=False)
        for each in clients:
            ask(each, request_id=f"quiet-{number}")
    assert '"quiet-' not in server.log


def set_log(of: triton.InferenceServerClient, *, log_requests: bool) -> None:
    """Not by tritonclient, which knows Triton's settings only."""
    request = pb.LogSettingsRequest()
    request.settings["log_requests"].bool_param = log_requests
    response = of._client_stub.LogSettings(request)
    assert response.settings["log_requests"].bool_param is log_requests


def test_every_so_many_requests_of_all_processes_are_traced(server: ServerProcess, clients: Clients) -> None:
    settings = {"trace_level": ["TIMESTAMPS"], "trace_rate": ["4"], "trace_count": ["2"]}
    clients[1].update_trace_settings("m", settings)
    for number in range(12):
        ask(clients[number % WORKERS], request_id=f"traced-{number}")
    wait_until(lambda: server.log.count('"traced-') == 2)
    clients[2].update_trace_settings("m", {name: [] for name in settings})
    for each in clients:
        ask(each, request_id="traced-no-more")
    clients[0].get_inference_statistics("m")  # what a worker said before has been heard by now
    assert server.log.count('"traced-') == 2


def test_spans_come_from_every_process(clients: Clients, collector: SpanCollector) -> None:
    for number, each in enumerate(clients):
        ask(each, request_id=f"span-{number}")
    wanted = {f"span-{number}" for number in range(WORKERS)}
    collector.wait(lambda spans: wanted <= {span.attributes.get("ovserve.request_id") for span in spans})


# What is counted


def test_statistics_and_metrics_are_those_of_all_processes(server: ServerProcess, clients: Clients) -> None:
    small_models.save(small_models.add_one([2]), server.root / "counted/1")
    clients[0].load_model("counted")
    for number in range(12):
        ask(clients[number % WORKERS], "counted")
    with pytest.raises(InferenceServerException):
        ask(clients[1], "counted", [1, 2, 3])
    assert counted(server, "counted") == (12, 12, 12, {1: 12})
    for each in clients:
        assert each.get_inference_statistics("counted").model_stats[0].inference_count == 12
    shown = metrics(server)
    of_model = 'interface="gRPC",method="ModelInfer",name="counted",version="1"}'
    assert f'ovms_requests_success{{api="KServe",{of_model} 12\n' in shown
    assert f'ovms_requests_fail{{api="KServe",{of_model} 1\n' in shown
    assert 'ovms_request_time_us_count{interface="gRPC",name="counted",version="1"} 12\n' in shown
    assert f'ovms_infer_req_queue_size{{name="counted",version="1"}} {WORKERS * NIREQ}\n' in shown
    assert 'ovms_current_requests{name="counted",version="1"} 0\n' in shown


def test_a_sequence_counts_once(server: ServerProcess, clients: Clients) -> None:
    before = counted(server, "sum")[0]
    for each in clients:
        ask(each, "sum", [1], sequence_id=9, sequence_start=True, sequence_end=True)
    assert counted(server, "sum")[0] == before + WORKERS


def test_the_metrics_of_a_python_model_are_added_up(server: ServerProcess, clients: Clients) -> None:
    def asked() -> float:
        lines = [line for line in metrics(server).splitlines() if line.startswith("asked{")]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    before = asked()
    for each in clients:
        ask(each, "counting")
    assert asked() == before + WORKERS


# What dies, and what ends


@pytest.fixture
def two(serve: Serve, tmp_path: Path) -> Callable[..., ServerProcess]:
    """Start two processes."""

    def start(*arguments: str, **options: Any) -> ServerProcess:
        small_models.save(small_models.add_one([2]), tmp_path / "m/1")
        return serve(
            "--model_repository", str(tmp_path), "--grpc_workers", "2", *arguments, **options, program=[str(MANY)]
        )

    return start


def test_a_worker_that_is_killed_is_replaced_and_harms_nobody_else(two: Callable[..., ServerProcess]) -> None:
    server = two("--metrics_enable", rest=True)
    (worker,) = workers(server)
    with each_process(server) as (first, second):
        for _ in range(5):
            ask(first)
            ask(second)
        counted(server)
        stop = threading.Event()

        def go_on() -> int:
            answers = 0
            while not stop.is_set():
                assert ask(first) == [2, 3]
                answers += 1
            return answers

        with ThreadPoolExecutor(1) as threads:
            loop = threads.submit(go_on)
            kill(worker)
            wait_until(lambda: workers(server) not in ([], [worker]))
            wait_until(lambda: "another takes its place" in server.log)
            wait_until(lambda: server.log.count("worker ready") == 2)
            stop.set()
            assert loop.result() > 0
        assert ask(second) == [2, 3]  # over a new connection
        found = counted(server)[0]
    assert found == loop.result() + 11
    with each_process(server) as both:
        assert sorted(connections(server).values()) == [1, 1]
        assert [ask(each) for each in both] == [[2, 3], [2, 3]]


def test_a_version_whose_files_have_changed_since_is_still_served_by_a_new_worker(
    two: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    for name, execute, config in (("doubling", python_models.DOUBLE, ""), ("repeating", REPEATING, DECOUPLED)):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1/model.py").write_text(python_models.source(execute))
        (tmp_path / name / "config.pbtxt").write_text(f'backend: "python" {config}')
    server = two("--model_control_mode", "explicit", "--load_model", "*")
    (tmp_path / "m/1/model.xml").write_text("<net")
    for name in ("doubling", "repeating"):
        (tmp_path / name / "1/model.py").write_text("raise ValueError")
    kill(workers(server)[0])
    wait_until(lambda: server.log.count("worker ready") == 2)
    with each_process(server) as both:
        assert sorted(connections(server).values()) == [1, 1]
        assert [ask(each) for each in both] == [[2, 3], [2, 3]]
        assert [ask(each, "doubling") for each in both] == [[2, 4], [2, 4]]
        assert [streamed(each, "repeating") for each in both] == [[[1], [2], [3]]] * 2
        assert counted(server) == (2, 2, 2, {1: 2})
        both[0].unload_model("m")
        wait_until(lambda: {refusal(each, "m") for each in both} == {GONE.format("m")})


def test_large_weights_are_in_memory_once_and_nobody_can_change_them(
    two: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    small_models.save(small_models.table(np.arange(1 << 22, dtype=np.float32)), tmp_path / "table/1")
    server = two("--model_control_mode", "explicit", "--load_model", "*")

    def mapping() -> list[int]:
        maps = {pid: Path(f"/proc/{pid}/maps").read_text() for pid in (server.process.pid, *workers(server))}
        return [pid for pid, text in maps.items() if "/memfd:model.bin" in text]

    assert len(mapping()) == 2
    kill(workers(server)[0])
    wait_until(lambda: server.log.count("worker ready") == 2)
    assert len(mapping()) == 2
    os.truncate(tmp_path / "table/1/model.bin", 0)
    with each_process(server) as both:
        assert sorted(connections(server).values()) == [1, 1]
        for each in both:
            answer = each.infer("table", [tensor("x", [3_000_001, 5], "INT64")]).as_numpy("y")
            assert answer.tolist() == [3_000_001, 5]
        both[0].unload_model("table")
        wait_until(lambda: not mapping())


def test_a_configuration_that_changes_holds_everywhere_and_a_wrong_one_nowhere(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "one/1")
    small_models.save(small_models.add_sub([2]), tmp_path / "two/1")
    file = tmp_path / "config.json"

    def write(*names: str, **extra: Any) -> None:
        models = [{"config": {"name": name, "base_path": path}} for name, path in (each.split("=") for each in names)]
        file.write_text(json.dumps({"model_config_list": models, **extra}))

    first = pipelines.document(pipelines.node("n", "m"))
    write("m=one", pipeline_config_list=[first])
    flags = ("--config_path", str(file), "--file_system_poll_wait_seconds", "0", "--grpc_workers", "2")
    server = serve(*flags, rest=True, program=[str(MANY)])
    with each_process(server) as both:
        stop, answers = threading.Event(), []

        def go_on(of: triton.InferenceServerClient) -> None:
            while not stop.is_set():
                answers.append((ask(of, "m"), ask(of, "p")))

        with ThreadPoolExecutor(2) as threads:
            loops = [threads.submit(go_on, each) for each in both]
            write("m=one", "n=one", pipeline_config_list=[first])
            assert reload(server) == 201
            assert [ask(each, "n") for each in both] == [[2, 3], [2, 3]]
            write("m=one", "n=nowhere", pipeline_config_list=[first])
            assert reload(server) == 400
            small_models.save(small_models.add_one([2]), tmp_path / "one/2")
            write("m=one", pipeline_config_list=[first, {**first, "name": "q"}])
            assert reload(server) == 201
            assert [ask(each, "q") for each in both] == [[2, 3], [2, 3]]
            assert {refusal(each, "n") for each in both} == {GONE.format("n")}
            assert {each.get_model_metadata("m").versions[0] for each in both} == {"2"}
            stop.set()
            for loop in loops:
                loop.result()
    assert answers
    assert all(answer == ([2, 3], [2, 3]) for answer in answers)


def reload(server: ServerProcess) -> int:
    request = urllib.request.Request(f"http://{server.rest_address}/v1/config/reload", b"", method="POST")
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def test_a_worker_that_does_not_listen_keeps_nobody_waiting_for_counts(two: Callable[..., ServerProcess]) -> None:
    server = two("--metrics_enable", rest=True)
    (worker,) = workers(server)
    with each_process(server) as both:
        assert [ask(each) for each in both] == [[2, 3], [2, 3]]
        assert counted(server)[0] == 2
        os.kill(worker, signal.SIGSTOP)
        begun_s = time.monotonic()
        assert 'method="ModelInfer",name="m",version="1"} 2' in metrics(server)
        assert time.monotonic() - begun_s < 30
        os.kill(worker, signal.SIGCONT)
        assert ask(both[1]) == [2, 3]


def streamed(of: triton.InferenceServerClient, model: str) -> list[list[float]]:
    """All responses to one request over a stream."""
    got: SimpleQueue[Any] = SimpleQueue()
    of.start_stream(lambda result, error: got.put(error or result))
    of.async_stream_infer(model, [tensor("x", [1])], enable_empty_final_response=True)
    found = []
    while not (result := got.get(timeout=30)).get_response().parameters["triton_final_response"].bool_param:
        found.append(result.as_numpy("y").tolist())
    of.stop_stream()
    return found


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_what_is_running_in_any_process_is_answered_before_the_server_ends(
    two: Callable[..., ServerProcess], tmp_path: Path, kind: signal.Signals
) -> None:
    (tmp_path / "gated/1").mkdir(parents=True)
    (tmp_path / "gated/1/model.py").write_text(
        python_models.source(GATED.format(root=tmp_path) + python_models.DOUBLE, top="import os, time")
    )
    (tmp_path / "gated/config.pbtxt").write_text('backend: "python"')
    server = two("--log_format", "json")
    with each_process(server) as both:
        before = [ask(each) for each in both]
        answers: list[Any] = []
        for each in both:
            each.async_infer("gated", [tensor("x", [1])], lambda result, error: answers.append(error))
        wait_until(lambda: len(list(tmp_path.glob("inside-*"))) == 2)
        server.process.send_signal(kind)
        wait_until(lambda: not both[1].is_server_ready())
        (tmp_path / "go").touch()
        assert server.stop() == 0
        wait_until(lambda: len(answers) == 2)
        assert answers == [None, None]
    last = json.loads(server.log.splitlines()[-1])
    assert (last["event"], last["requests"], last["answered"]) == ("stopped", len(before) + 2, len(before) + 2)


def test_the_log_says_started_when_all_processes_answer(two: Callable[..., ServerProcess]) -> None:
    server = two("--log_format", "json")
    wait_until(lambda: '"started"' in server.log)
    lines = {line["event"]: line for line in map(json.loads, server.log.splitlines())}
    order = ["listening, and loading models", "worker ready", "version available", "started"]
    assert [event for event in lines if event in order] == order
    assert lines[order[0]]["grpc"] == lines["started"]["grpc"] == [server.address]


def test_workers_end_with_the_server_however_that_ends(two: Callable[..., ServerProcess]) -> None:
    server = two()
    (worker,) = workers(server)
    with each_process(server) as both:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # which are for the server
            os.kill(worker, number)
        assert [ask(each) for each in both] == [[2, 3], [2, 3]]
    assert workers(server) == [worker]
    server.process.kill()
    wait_until(lambda: not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text())


def test_more_workers_than_cores_are_refused() -> None:
    refused = run_ovserve("--model_repository", "none", "--grpc_workers", "1000")
    assert refused.returncode == 2
    assert "grpc_workers count should be from 1 to CPU core count" in refused.stderr


# Who may come in


def test_a_changed_file_of_keys_holds_in_every_process(two: Callable[..., ServerProcess], tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("old\n")
    server = two("--api_key_file", str(file), "--metrics_enable", rest=True)
    with each_process(server) as both:

        def asks(key: str) -> list[str]:
            told = []
            for each in both:
                try:
                    ask(each, headers={"authorization": f"Bearer {key}"})
                    told.append("OK")
                except InferenceServerException as error:
                    told.append(str(error.status()))
            return told

        assert asks("old") == ["OK", "OK"]
        file.write_text("newer\n")
        assert asks("old") == ["StatusCode.UNAUTHENTICATED"] * 2
        assert asks("newer") == ["OK", "OK"]
    shown = metrics(server, key="newer")
    assert 'ovserve_requests_refused{interface="gRPC",right="inference",reason="UNAUTHENTICATED"} 2\n' in shown


def test_a_replaced_certificate_is_shown_by_every_process(two: Callable[..., ServerProcess], tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "certificates", "old"), Authority(tmp_path / "certificates", "new")
    files = old.issue("server")
    server = two("--tls_cert", str(files.cert), "--tls_key", str(files.key))

    def asks(authority: Authority) -> list[Any]:
        found = []
        for _ in range(2):
            credentials = grpc.ssl_channel_credentials(authority.path.read_bytes())
            with grpc.secure_channel(f"localhost:{server.port}", credentials, OWN_CONNECTION) as channel:
                health = health_pb2_grpc.HealthStub(channel)
                found.append(health.Check(health_pb2.HealthCheckRequest(), timeout=30).status)
        return found

    assert asks(old) == [1, 1]
    replace(files, new.issue("server"))
    assert asks(new) == [1, 1]
