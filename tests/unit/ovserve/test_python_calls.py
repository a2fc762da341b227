"""Python models that call others, and those whose responses are many, behind a data plane."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.engine.python_backend import pb_utils
from ovserve.errors import Cancelled, DeadlineExceeded, InferenceFailed, NotFound, OVServeError, Unsupported
from ovserve.requests import InferRequest, InferResponse, Patient
from ovserve.tensors import DType, Tensor
from python_models import source

Q = """
def ask(model, request, **options):
    return pb_utils.InferenceRequest(
        model_name=model, requested_output_names=["y"], inputs=request.inputs(), **options
    )
def told(answer):
    return pb_utils.InferenceResponse(error=answer.error()) if answer.has_error() else answer
"""
HAND_ON = "return [told(ask({other!r}, request).exec()) for request in requests]"
SAME = "return [pb_utils.InferenceResponse([pb_utils.Tensor('y', request.inputs()[0].as_numpy())]) for request in requests]"
ENDLESS = """
    def work(request, sender):
        while not request.is_cancelled():
            sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", np.ones(1, np.float32))]))
            COUNT.append(1)
        STOPPED.append(1)
        sender.send(flags=1)
    request, = requests
    threading.Thread(target=work, args=(request, request.get_response_sender())).start()
"""
MEET = "import sys; sys.modules['triton_python_backend_utils'].meeting.wait(30)\n" + SAME
DECOUPLED = "model_transaction_policy { decoupled: true }\n"

Serve = Callable[..., Core]


@pytest.fixture(params=["in_process", "process"])
def isolation(request: pytest.FixtureRequest) -> str:
    return request.param


# What looks into a model, or lets several meet, needs them in this process.
INSIDE = pytest.mark.parametrize("isolation", ["in_process"], indirect=True)


@pytest.fixture
def serve(tmp_path: Path, isolation: str) -> Iterator[Serve]:
    """Serve models: name -> what its execute does, and with it, if need be, more of its config.pbtxt and of its file."""

    def serve(_root: Path = tmp_path, **models: str | tuple[str, ...]) -> Core:
        for name, given in models.items():
            execute, config, more = (*((given,) if isinstance(given, str) else given), "", "")[:3]
            (_root / name / "1").mkdir(parents=True)
            (_root / name / "config.pbtxt").write_text('backend: "python"\n' + config)
            text = source(execute, top="import asyncio, threading\nCOUNT, STOPPED = [], []\n" + dedent(Q))
            if "await" in execute:
                text = text.replace("def execute", "async def execute")
            (_root / name / "1/model.py").write_text(text + more)
        core = compose(Settings(model_repository=[_root], python_model_isolation=isolation))
        core.load()
        return core

    return serve


def ask(core: Core, model: str, *values: float, **fields: Any) -> list[float]:
    x = Tensor(DType.FP32, np.array(values or (1, 2), np.float32))
    return core.dataplane.infer(InferRequest(model, {"x": x}, **fields), Patient()).outputs["y"].data.tolist()


def refusal(core: Core, model: str) -> str:
    with pytest.raises(OVServeError) as raised:
        ask(core, model)
    return str(raised.value)


class Client:
    """Reads a stream: `read` of the responses, then no more until `goes_on`; may leave, or have little time."""

    def __init__(self, time_s: float = inf, read: int = 1_000_000) -> None:
        self._until_s = time.monotonic() + time_s
        self._callbacks: list[Callable[[], None]] = []
        self.responses: list[Any] = []
        self.finals = 0
        self.read = read
        self.has_read = threading.Event()
        self.goes_on = threading.Event()

    def time_remaining(self) -> float:
        return max(0.0, self._until_s - time.monotonic())

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._callbacks.append(callback)
        return True

    def leave(self) -> None:
        for callback in self._callbacks:
            callback()
        self.goes_on.set()

    def send(self, response: InferResponse | OVServeError | None, *, final: bool) -> None:
        self.responses.append(response)
        self.finals += final
        if len(self.responses) >= self.read:
            self.has_read.set()
            assert self.goes_on.wait(60)

    def stream(self, core: Core, model: str, *values: float) -> None:
        x = Tensor(DType.FP32, np.array(values or (1, 2), np.float32))
        core.dataplane.infer_stream(InferRequest(model, {"x": x}), self, self.send)


def module(core: Core, model: str) -> Any:
    """The globals of a model's file."""
    (instance,) = core.registry.find(model)._instances  # type: ignore[attr-defined]
    return type(instance._instance).execute.__globals__


@contextmanager
def meeting(count: int) -> Iterator[None]:
    """Have so many executions of MEET wait for each other."""
    pb_utils.meeting = threading.Barrier(count)  # type: ignore[attr-defined]
    yield
    del pb_utils.meeting  # type: ignore[attr-defined]


def settled(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.01)


# Calls


def test_a_call_counts_where_it_is_answered(serve: Serve) -> None:
    core = serve(a=HAND_ON.format(other="b"), b=SAME)
    assert ask(core, "a", 3) == [3]
    assert {one.name: one.counts.inferences for one in core.dataplane.statistics()} == {"a": 1, "b": 1}


def test_a_call_from_a_thread_of_the_models_own(serve: Serve) -> None:
    execute = """
        found = []
        thread = threading.Thread(target=lambda: found.append(told(ask("b", requests[0]).exec())))
        thread.start(); thread.join()
        return found
    """
    assert ask(serve(a=execute, b=SAME), "a", 3) == [3]


@INSIDE
def test_asynchronous_calls_run_at_the_same_time(serve: Serve) -> None:
    calls = "return [(await asyncio.gather(*(ask('b', requests[0]).async_exec() for _ in range(3))))[0]]"
    core = serve(a=calls, b=(MEET, "instance_group { count: 3 }"))
    with meeting(3):
        assert ask(core, "a", 3) == [3]


def test_what_another_cannot_answer_is_told_in_its_answer(serve: Serve) -> None:
    core = serve(a=HAND_ON.format(other="nobody"), b=HAND_ON.format(other="c"), c="raise ValueError('no')")
    with pytest.raises(NotFound, match=r"^model 'a' version 1: model 'nobody' is not found$"):
        ask(core, "a")
    with pytest.raises(InferenceFailed, match="model 'c' version 1: execute failed: ValueError: no"):
        ask(core, "b")


def test_a_call_waits_where_a_client_would_be_refused(serve: Serve) -> None:
    slow = "import time; time.sleep(0.01)\n" + SAME
    queue = 'parameters { key: "max_queue" value { string_value: "0" } }'
    core = serve(a=(HAND_ON.format(other="b"), "instance_group { count: 6 }"), b=(slow, queue))
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda n: ask(core, "a", n), range(12))) == [[n] for n in range(12)]


def test_a_model_that_calls_itself_with_all_instances_busy_is_refused(serve: Serve) -> None:
    core = serve(a=HAND_ON.format(other="a"))
    assert "it is called from within itself while all of its 1 instances are busy" in refusal(core, "a")
    assert "called from within itself" in refusal(core, "a")


@pytest.mark.parametrize("calls", [HAND_ON, "return [told(await ask({other!r}, requests[0]).async_exec())]"])
def test_calls_are_nested_so_deep_and_no_deeper(serve: Serve, calls: str) -> None:
    core = serve(a=(calls.format(other="a"), "instance_group { count: 12 }"))
    assert "calls may be nested at most 8 deep" in refusal(core, "a")


def test_models_that_call_each_other_do_not_wait_for_ever(serve: Serve) -> None:
    core = serve(a=HAND_ON.format(other="b"), b=HAND_ON.format(other="a"))
    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(lambda name: refusal(core, name), "abab" * 5))
    assert all("from within itself" in one for one in said)


def test_a_model_that_calls_its_own_pipeline_does_not_wait_for_ever(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "p/1").mkdir(parents=True)
    tensor = '{{ name: "{}" data_type: TYPE_FP32 dims: [ -1 ] }}'.format
    maps = 'input_map { key: "x" value: "x" } output_map { key: "y" value: "y" }'
    (tmp_path / "p/config.pbtxt").write_text(
        f'platform: "ensemble"\ninput [ {tensor("x")} ]\noutput [ {tensor("y")} ]\n'
        f'ensemble_scheduling {{ step [ {{ model_name: "a" model_version: -1 {maps} }} ] }}'
    )
    core = serve(a=HAND_ON.format(other="p"))
    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(lambda name: refusal(core, name), "apap"))
    assert all("from within itself" in one for one in said)


# Many responses


@INSIDE
def test_a_model_reads_as_many_responses_as_it_likes(serve: Serve) -> None:
    reads = """
        answers = ask("b", requests[0]).exec(decoupled=True)
        first = next(answers)
        answers.close()
        return [first]
    """
    core = serve(a=reads, b=(ENDLESS, DECOUPLED))
    assert ask(core, "a") == [1]
    settled(lambda: bool(module(core, "b")["STOPPED"]))
    settled(lambda: core.registry.find("b").in_flight.count == 0)


def test_a_model_reads_responses_asynchronously(serve: Serve) -> None:
    reads = """
        answers = await ask("b", requests[0]).async_exec(decoupled=True)
        found = [answer.output_tensors()[0].as_numpy()[0] async for answer in answers]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", np.array(found))])]
    """
    count = """
        for request in requests:
            sender = request.get_response_sender()
            for n in range(20):
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", np.array([n], np.float32))]))
            sender.send(flags=1)
    """
    assert ask(serve(a=reads, b=(count, DECOUPLED)), "a") == list(range(20))


@INSIDE
def test_a_client_that_goes_ends_its_request(serve: Serve) -> None:
    core = serve(a=(ENDLESS, DECOUPLED))
    client = Client(read=3)
    with ThreadPoolExecutor(1) as threads:
        stream = threads.submit(client.stream, core, "a")
        assert client.has_read.wait(30)
        client.leave()
        with pytest.raises(Cancelled, match="model 'a' version 1: the caller went away before the final response"):
            stream.result(30)
    settled(lambda: bool(module(core, "a")["STOPPED"]))
    assert (core.registry.find("a").in_flight.count, client.finals) == (0, 0)


@INSIDE
def test_a_client_that_does_not_read_has_the_model_wait(serve: Serve) -> None:
    core = serve(a=(ENDLESS, DECOUPLED))
    client = Client(read=3)
    with ThreadPoolExecutor(1) as threads:
        stream = threads.submit(client.stream, core, "a")
        assert client.has_read.wait(30)
        assert len(module(core, "a")["COUNT"]) == 2
        client.leave()
        assert isinstance(stream.exception(30), Cancelled)


@pytest.mark.parametrize("execute", ["self.kept = requests[0].get_response_sender()", "self.kept = requests"])
def test_a_model_that_never_ends_a_request_holds_it_till_the_deadline(serve: Serve, execute: str) -> None:
    core = serve(a=(execute, DECOUPLED))
    with pytest.raises(DeadlineExceeded, match="the deadline passed before the final response"):
        Client(time_s=0.2).stream(core, "a")
    servable = core.registry.find("a")
    assert (servable.in_flight.count, servable.running) == (0, 0)


def test_a_model_that_lets_go_of_a_request_fails_it(serve: Serve) -> None:
    core = serve(a=("return None", DECOUPLED))
    with pytest.raises(InferenceFailed, match="it let go of the request without sending the final flag"):
        Client().stream(core, "a")


@pytest.mark.parametrize("count", [0, 2])
def test_who_can_take_only_one_response_gets_one_or_an_error(serve: Serve, count: int) -> None:
    execute = f"""
        for request in requests:
            sender = request.get_response_sender()
            for _ in range({count}):
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", request.inputs()[0].as_numpy())]))
            sender.send(flags=1)
    """
    core = serve(a=(execute, DECOUPLED), b=(execute.replace(f"range({count})", "range(1)"), DECOUPLED))
    with pytest.raises(Unsupported, match="is decoupled and gave"):
        ask(core, "a")
    assert ask(core, "b", 5) == [5]


def test_open_requests_are_bounded(serve: Serve) -> None:
    core = serve(a=("self.__dict__.setdefault('kept', []).extend(requests)", DECOUPLED))
    servable: Any = core.registry.find("a")
    most = servable.admitted_at_once
    clients = [Client() for _ in range(most)]
    with ThreadPoolExecutor(most) as threads:
        streams = []
        try:
            for client in clients:
                streams.append(threads.submit(client.stream, core, "a"))
                settled(lambda: (servable.in_flight.count, servable.running) == (len(streams), 0))
            assert f"{most} requests are being answered already" in refusal(core, "a")
        finally:
            for client in clients:
                client.leave()
        assert {type(stream.exception(30)) for stream in streams} == {Cancelled}


def test_a_request_may_be_executed_again_and_again(serve: Serve) -> None:
    execute = """
        request, = requests
        self.times = getattr(self, "times", 0) + 1
        sender = request.get_response_sender()
        sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", np.array([self.times], np.float32))]))
        if self.times < 3:
            request.set_release_flags(pb_utils.TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)
        else:
            sender.send(flags=1)
    """
    client = Client()
    client.stream(serve(a=(execute, DECOUPLED)), "a")
    assert [response and response.outputs["y"].data[0] for response in client.responses] == [1, 2, 3, None]
    assert client.finals == 1


# Readiness and instances


@INSIDE
def test_a_model_says_itself_whether_it_is_ready(serve: Serve) -> None:
    core = serve(a=(SAME, "", "TritonPythonModel.is_ready = lambda self: not COUNT"))
    assert core.dataplane.model_ready("a", None)
    module(core, "a")["COUNT"].append(1)
    assert not core.dataplane.model_ready("a", None)


@INSIDE
def test_instances_run_at_the_same_time(serve: Serve) -> None:
    core = serve(a=(MEET, "instance_group { count: 3 }"))
    with meeting(3), ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda n: ask(core, "a", n), range(3))) == [[0], [1], [2]]


# Metrics


def test_metrics_of_a_models_own_are_shown_as_long_as_it_is(serve: Serve) -> None:
    execute = """
        family = pb_utils.MetricFamily(name="seen", description="What was seen.", kind=pb_utils.MetricFamily.COUNTER)
        self.metric = family.Metric(labels={"model": "a"})
        self.metric.increment(2)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", np.array([self.metric.value()], np.float32))])]
    """
    core = serve(a=execute)
    assert ask(core, "a") == [2]
    assert ask(core, "a") == [4]


# The end


def test_models_finalize_with_the_server_that_has_them(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "log"
    more = f"TritonPythonModel.finalize = lambda self: open({str(log)!r}, 'a').write('end ')\n"
    core = serve(a=(HAND_ON.format(other="b"), "", more), b=(SAME, "", more))
    assert ask(core, "a", 1) == [1]
    del core
    gc.collect()
    assert log.read_text() == "end end "


# Warm-up


WARM = """
model_warmup { name: "first" count: 2 inputs { key: "x" value { data_type: TYPE_FP32 dims: [ 3 ] zero_data: true } } }
"""


@INSIDE
def test_samples_run_before_a_model_serves(serve: Serve) -> None:
    core = serve(a=("COUNT.append(1)\n" + SAME, WARM), b=("raise ValueError('cold')", WARM))
    assert len(module(core, "a")["COUNT"]) == 2
    assert [one.counts.inferences for one in core.dataplane.statistics()] == [0]
    assert core.control.index()[1].reason.startswith("model_warmup 'first': model 'b' version 1: execute failed")
