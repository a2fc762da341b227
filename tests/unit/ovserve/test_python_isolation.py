"""What becomes of requests, and of the other instances, when the process of a Python model dies or hangs."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.engine.python_backend.isolated.process_instance import ProcessInstance
from ovserve.errors import DeadlineExceeded, InferenceFailed, LoadFailed, OVServeError
from ovserve.processes.restarts import Restarts
from ovserve.requests import Hurried, InferRequest, Patient
from ovserve.tensors import DType, Tensor
from python_models import answer, load_apart, run, source, tensor

X = "requests[0].inputs()[0].as_numpy()"
SAY = f"return [pb_utils.InferenceResponse([pb_utils.Tensor('y', {X} + 1)])]"
# A request of -1 does what is wrong, any other is answered.
WRONG = "if {X}[0] < 0:\n    {wrong}\n" + SAY
TOP = "import ctypes, os, signal, time, threading, triton_python_backend_utils as pb_utils\n"
DECOUPLED = "model_transaction_policy { decoupled: true }\n"
STUCK = 'parameters { key: "PYTHON_MODEL_STUCK_SECONDS" value { string_value: "0.2" } }\n'

Serve = Callable[..., Core]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve models: name -> what its execute does and more of its config.pbtxt"""
    cores: list[Core] = []

    def serve(**models: str | tuple[str, str]) -> Core:
        for name, given in models.items():
            execute, config = (given, "") if isinstance(given, str) else given
            (tmp_path / name / "1").mkdir(parents=True)
            isolation = 'parameters { key: "PYTHON_MODEL_ISOLATION" value { string_value: "process" } }\n'
            (tmp_path / name / "config.pbtxt").write_text(f'backend: "python"\n{isolation}{config}')
            (tmp_path / name / "1/model.py").write_text(source(execute, top=TOP))
        cores.append(compose(Settings(model_repository=[tmp_path])))
        cores[-1].load()
        return cores[-1]

    yield serve
    for core in cores:
        for entry in core.registry.entries.values():
            for servable in entry.available.values():
                for instance in servable._instances:
                    instance.close()


def wrong(statement: str) -> str:
    return WRONG.format(X=X, wrong=statement)


def ask(core: Core, model: str, value: float, time_s: float | None = None) -> list[float]:
    x = Tensor(DType.FP32, np.array([value], np.float32))
    caller = Patient() if time_s is None else Hurried(Patient(), time_s)
    return core.dataplane.infer(InferRequest(model, {"x": x}), caller).outputs["y"].data.tolist()


def instances(core: Core, model: str = "m") -> list[ProcessInstance]:
    return core.registry.find(model)._instances  # type: ignore[attr-defined]


def settled(condition: Callable[[], Any]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.01)


# Death


@pytest.mark.parametrize(
    ("statement", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL"),
        ("os._exit(3)", "exit code 3"),
        ("ctypes.string_at(0)", "signal SIGSEGV"),
    ],
)
def test_a_process_that_dies_fails_its_request_alone(serve: Serve, statement: str, how: str) -> None:
    core = serve(m=wrong(statement), other=SAY)
    with pytest.raises(InferenceFailed, match=rf"^model 'm' version 1: its process ended with {how} while it ran the"):
        ask(core, "m", -1)
    assert ask(core, "other", 1) == [2]
    assert ask(core, "m", 1) == [2]  # after it was started anew


def test_one_that_dies_while_nothing_runs_is_started_anew(serve: Serve) -> None:
    core = serve(m=SAY)
    (instance,) = instances(core)
    before = instance.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    settled(lambda: instance.pid not in {before, None})
    assert ask(core, "m", 1) == [2]


def test_while_one_instance_dies_the_other_answers(serve: Serve) -> None:
    core = serve(m=(wrong("os._exit(1)"), "instance_group { count: 2 }"))
    with ThreadPoolExecutor(2) as threads:
        dying = threads.submit(ask, core, "m", -1)
        assert ask(core, "m", 1) == [2]
        assert "exit code 1" in str(dying.exception(30))


def test_responses_and_calls_end_with_the_process(serve: Serve) -> None:
    streaming = """
        def work(request, sender):
            sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", request.inputs()[0].as_numpy())]))
            os._exit(5)
        threading.Thread(target=work, args=(requests[0], requests[0].get_response_sender())).start()
    """
    calling = """
        inputs = requests[0].inputs()
        other = pb_utils.InferenceRequest(model_name="m", requested_output_names=["y"], inputs=inputs)
        said = other.exec()
        return [pb_utils.InferenceResponse(error=said.error())]
    """
    core = serve(m=(streaming, DECOUPLED), caller=dedent(calling))
    x = Tensor(DType.FP32, np.ones(1, np.float32))
    responses: list[Any] = []

    def send(response: Any, *, final: bool) -> None:
        responses.append(response)

    with pytest.raises(InferenceFailed, match="its process ended with exit code 5 while it ran the request"):
        core.dataplane.infer_stream(InferRequest("m", {"x": x}), Patient(), send)
    assert [one.outputs["y"].data.tolist() for one in responses] == [[1]]
    with pytest.raises(OVServeError, match="model 'm' version 1: its process ended with exit code 5"):
        ask(core, "caller", 1)


def test_one_that_dies_at_its_start_cannot_be_served(tmp_path: Path) -> None:
    text = source(top="import os", methods="def initialize(self, args): os._exit(4)")
    with pytest.raises(LoadFailed, match=r"^'model.py': its process ended with exit code 4 while it was loaded$"):
        load_apart(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import nowhere", "'model.py': import failed: ModuleNotFoundError: No module named 'nowhere'"),
        ("", "'model.py': it has no class TritonPythonModel"),
        (source(methods="def initialize(self, args): raise ValueError('no')"), "initialize failed: ValueError: no"),
    ],
)
def test_what_cannot_be_loaded_is_told_as_ever(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(LoadFailed, match=sentence):
        load_apart(tmp_path, text)


def test_one_that_dies_again_and_again_is_started_less_and_less_often() -> None:
    restarts = Restarts()
    assert [restarts.delay_s(0) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [restarts.delay_s(lived_s) for lived_s in (60, 0, 0)] == [0, 0, 0.5]


def test_starts_that_fail_are_counted_in_seconds_not_in_hundreds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    methods = f"""
        def initialize(self, args):
            with open({str(log)!r}, "a") as log: log.write(".")
            if os.path.getsize({str(log)!r}) > 1: os._exit(1)
    """
    model = load_apart(tmp_path, source(top="import os", methods=methods))
    assert model.pid is not None
    os.kill(model.pid, signal.SIGKILL)
    settled(lambda: log.stat().st_size >= 3)
    assert (model.is_ready(), model.pid) == (False, None)
    model.close()
    assert log.stat().st_size <= 4


# Hanging


@pytest.mark.parametrize("count", [1, 2])
def test_a_request_that_hangs_ends_at_its_deadline_and_its_process_is_ended(serve: Serve, count: int) -> None:
    core = serve(m=(wrong("while True: pass"), STUCK + f"instance_group {{ count: {count} }}"))
    before = {instance.pid for instance in instances(core)}
    with pytest.raises(DeadlineExceeded, match=r"^model 'm' version 1: the deadline passed"):
        ask(core, "m", -1, time_s=0.2)
    assert ask(core, "m", 1) == [2]
    settled(lambda: len({instance.pid for instance in instances(core)} - before - {None}) == 1)


def test_in_process_a_request_that_hangs_ends_at_its_deadline_too(tmp_path: Path) -> None:
    (tmp_path / "m/1").mkdir(parents=True)
    (tmp_path / "m/config.pbtxt").write_text('backend: "python"')
    (tmp_path / "m/1/model.py").write_text(source(wrong("GO.wait(30)"), top=TOP + "GO = threading.Event()\n"))
    core = compose(Settings(model_repository=[tmp_path]))
    core.load()
    servable: Any = core.registry.find("m")
    with pytest.raises(DeadlineExceeded):
        ask(core, "m", -1, time_s=0.2)
    assert servable.running == 1  # the instance is busy until it returns
    with pytest.raises(DeadlineExceeded, match="while the request was waiting for its turn"):
        ask(core, "m", 1, time_s=0.1)
    type(servable._instances[0]._instance).execute.__globals__["GO"].set()
    assert ask(core, "m", 1) == [2]


# What goes over the channel


def test_large_tensors_and_strings_and_none_at_all_go_over(tmp_path: Path) -> None:
    same = f"return [pb_utils.InferenceResponse([pb_utils.Tensor('y', {X})])]"
    model = load_apart(tmp_path / "numbers", source(same, dims="[-1, -1]"))
    x = np.random.default_rng(0).random((1024, 2048), np.float32)
    assert np.array_equal(answer(model, x), x)
    assert answer(model, np.zeros((0, 3))).shape == (0, 3)
    model.close()
    texts = load_apart(tmp_path / "texts", source(same, kind="STRING"))
    assert run(texts, {"x": tensor([b"", b"a\0\xff", b"b" * 100_000], "BYTES")})["y"].data.tolist() == [
        b"",
        b"a\0\xff",
        b"b" * 100_000,
    ]
    texts.close()


def test_what_it_prints_goes_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_apart(tmp_path, source(top="print('printed')")).close()
    captured = capfd.readouterr()
    assert (captured.out, "printed\n" in captured.err) == ("", True)


def test_its_log_lines_are_the_servers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    methods = "def finalize(self): pb_utils.Logger.log_warn('the end')"
    load_apart(tmp_path, source(methods=methods)).close()
    settled(lambda: any("the end model=m" in line for line in caplog.messages))


def test_its_process_ends_with_it(tmp_path: Path) -> None:
    model = load_apart(tmp_path, source())
    pid = model.pid
    model.close()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
