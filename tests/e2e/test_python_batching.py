"""Requests to Python models that are executed together, over the real server."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from counts import counted, metrics
from on_request import OnRequest, on_request
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]

TENSORS = """
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] %s } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""
# Long enough for all that a test asks at the same time, and no test waits for its end: groups are full before.
WAITING = "dynamic_batching { max_queue_delay_microseconds: 60000000 %s }"

# Answers each row with its first number and how many requests were executed together.
TOGETHER = """
import time
from pathlib import Path
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        given = [request.inputs()[0].as_numpy()[:, 0] for request in requests]
        least = min(numbers.min() for numbers in given)
        if least == -1:
            raise ValueError("negative")
        if least == -2:
            return []
        return [self.answer(numbers, len(requests)) for numbers in given]

    def answer(self, numbers, together):
        if (numbers > 1000).any():
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("too much"))
        seen = np.stack([numbers, np.full_like(numbers, together)], axis=1)
        return pb_utils.InferenceResponse([pb_utils.Tensor("y", seen)])
"""
COMPLETED = """
    @staticmethod
    def auto_complete_config(config):
        config.set_max_batch_size(4)
        config.set_dynamic_batching()
        return config
"""
# Writes down what it executes; the first time it waits until it is let go.
HELD = TOGETHER.replace(
    "    def execute(self, requests):\n",
    """
    def execute(self, requests):
        with Path(__file__).with_name("seen").open("a") as seen:
            print(*(request.inputs()[0].as_numpy()[0, 0] for request in requests), file=seen)
        while not Path(__file__).with_name("go").exists():
            time.sleep(0.005)
""",
)
# Decoupled: two responses for each, all first ones before the second ones.
INTERLEAVED = """
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        senders = [(request.get_response_sender(), request.inputs()[0].as_numpy()[0, 0]) for request in requests]
        for last in (False, True):
            for sender, number in senders:
                seen = np.array([[number, len(requests)]], np.float32)
                flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if last else 0
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", seen)]), flags)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRequest]:
    with on_request(tmp_path_factory.mktemp("batching"), "--metrics_enable", "--triton_metrics") as house:
        yield house


def write(root: Path, config: str, text: str = TOGETHER, *, name: str = "m", of_input: str = "") -> Path:
    folder = root / name / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(text)
    (root / name / "config.pbtxt").write_text('backend: "python"' + TENSORS % of_input + config)
    return folder


@dataclass(frozen=True)
class Model:
    """A model that is served, and the folder of its version."""

    server: ServerProcess
    name: str
    folder: Path


def served(house: OnRequest, config: str, text: str = TOGETHER, *, of_input: str = "") -> Model:
    name = house.name()
    folder = write(house.root, config, text, name=name, of_input=of_input)
    house.load(name)
    return Model(house.server, name, folder)


def tensors(x: np.ndarray) -> list[triton.InferInput]:
    tensor = triton.InferInput("x", x.shape, "FP32")
    tensor.set_data_from_numpy(x)
    return [tensor]


def rows(number: float, size: int = 1, columns: int = 1) -> np.ndarray:
    return np.full((size, columns), number, np.float32)


def together(model: Model, parts: Sequence[np.ndarray]) -> list[list[list[float]] | str]:
    """Ask for all parts at the same time; an error as its sentence."""

    def answer(x: np.ndarray) -> list[list[float]] | str:
        with triton.InferenceServerClient(model.server.address) as client:
            try:
                return client.infer(model.name, tensors(x), client_timeout=60).as_numpy("y").tolist()
            except InferenceServerException as error:
                return error.message()

    with ThreadPoolExecutor(len(parts)) as threads:
        return list(threads.map(answer, parts))


@pytest.mark.parametrize("isolation", ["in_process", "process"])
def test_sixteen_clients_are_one_execution(serve: Serve, repository: Path, isolation: str) -> None:
    write(repository, "max_batch_size: 16 " + WAITING % "")
    server = serve("--model_repository", str(repository), "--python_model_isolation", isolation)
    model = Model(server, "m", repository / "m/1")
    assert together(model, [rows(n) for n in range(16)]) == [[[n, 16]] for n in range(16)]
    assert counted(server) == (16, 16, 1, {16: 1})
    assert "has no effect" not in server.log


def test_rows_count_and_not_requests(house: OnRequest) -> None:
    model = served(house, "max_batch_size: 4 " + WAITING % "")
    assert together(model, [rows(1, 3), rows(2)]) == [[[1, 2]] * 3, [[2, 2]]]
    assert counted(model.server, model.name) == (2, 4, 1, {4: 1})


def test_groups_have_preferred_sizes(house: OnRequest) -> None:
    model = served(house, "max_batch_size: 8 " + WAITING % "preferred_batch_size: [ 2, 4 ]")
    answers = together(model, [rows(n) for n in range(12)])
    assert [seen for seen in answers if isinstance(seen, str) or seen[0][1] not in {2, 4}] == []
    assert set(counted(model.server, model.name)[3]) <= {2, 4}


def test_a_model_may_ask_for_it_itself(house: OnRequest) -> None:
    model = served(house, "", HELD + COMPLETED)
    with held(model) as ask:
        others = [ask(n) for n in (1, 2, 3, 4)]
        wait_until_pending(model, 4)
    assert [other.result().tolist() for other in others] == [[[n, 4]] for n in (1, 2, 3, 4)]


def test_without_it_each_request_is_executed_by_itself(house: OnRequest) -> None:
    model = served(house, "max_batch_size: 4")
    assert together(model, [rows(n) for n in range(8)]) == [[[n, 1]] for n in range(8)]
    assert counted(model.server, model.name)[:3] == (8, 8, 8)


@pytest.mark.parametrize(("of_input", "executions"), [("", 2), ("allow_ragged_batch: true", 1)])
def test_other_shapes_are_in_a_group_where_they_are_allowed(house: OnRequest, of_input: str, executions: int) -> None:
    delay_us = 60_000_000 if of_input else 20_000
    batching = f"max_batch_size: 2 dynamic_batching {{ max_queue_delay_microseconds: {delay_us} }}"
    model = served(house, batching, of_input=of_input)
    size = 3 - executions
    assert together(model, [rows(1, columns=3), rows(2, columns=5)]) == [[[1, size]], [[2, size]]]
    assert counted(model.server, model.name)[2] == executions


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (-1, "execute failed: ValueError: negative"),
        (-2, "execute must return a response for each request, got 0 for 3"),
    ],
)
def test_what_concerns_no_single_request_is_an_error_for_all_of_the_group(
    house: OnRequest, bad: int, cause: str
) -> None:
    model = served(house, "max_batch_size: 3 " + WAITING % "")
    assert together(model, [rows(1), rows(bad), rows(2)]) == [f"model '{model.name}' version 1: {cause}"] * 3
    assert counted(model.server, model.name)[:3] == (0, 0, 0)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_among_the_responses_is_for_one(house: OnRequest, bad: int) -> None:
    model = served(house, "max_batch_size: 3 " + WAITING % "")
    answers = together(model, [rows(2000 if n == bad else n) for n in range(3)])
    assert answers == [f"model '{model.name}' version 1: too much" if n == bad else [[n, 3]] for n in range(3)]
    assert counted(model.server, model.name) == (2, 2, 1, {3: 1})


def test_who_has_gone_is_not_in_the_group(house: OnRequest) -> None:
    model = served(house, "max_batch_size: 3 " + WAITING % "")
    with triton.InferenceServerClient(model.server.address) as client:
        call = client.async_infer(model.name, tensors(rows(9)), lambda result, error: None)
        wait_until_pending(model, 1)
        call.cancel()
        wait_until_pending(model, 0)
    assert together(model, [rows(n) for n in range(3)]) == [[[n, 3]] for n in range(3)]


def test_members_of_a_decoupled_group_answer_on_their_own(house: OnRequest) -> None:
    decoupled = "model_transaction_policy { decoupled: true } max_batch_size: 4"
    model = served(house, f"{decoupled} " + WAITING % "", INTERLEAVED)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: streamed(model, number), range(4)))
    assert found == [[[[number, 4]]] * 2 for number in range(4)]
    assert counted(model.server, model.name)[2] == 1


def streamed(model: Model, number: int) -> list[list[list[float]]]:
    """What a stream brings for one request, up to the final response."""
    got: queue.SimpleQueue = queue.SimpleQueue()
    with triton.InferenceServerClient(model.server.address) as client:
        client.start_stream(callback=lambda result, error: got.put((result, error)))
        client.async_stream_infer(model.name, tensors(rows(number)))
        found, is_final = [], False
        while not is_final:
            result, error = got.get(timeout=60)
            assert error is None, error.message()
            is_final = result.get_response().parameters["triton_final_response"].bool_param
            found.append(result.as_numpy("y").tolist())
        client.stop_stream()
    return found


@contextmanager
def held(model: Model) -> Iterator[Callable[..., "Future[np.ndarray]"]]:
    """Hold the model with a request that it executes; give what asks for more, and let go at the end."""
    with triton.InferenceServerClient(model.server.address) as client, ThreadPoolExecutor(16) as threads:

        def ask(number: float, **options: int) -> "Future[np.ndarray]":
            return threads.submit(
                lambda: client.infer(model.name, tensors(rows(number)), client_timeout=60, **options).as_numpy("y")
            )

        first = ask(0)
        try:
            wait_until((model.folder / "seen").exists)
            yield ask
        finally:
            (model.folder / "go").touch()
        assert first.result().tolist() == [[0, 1]]


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(6000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not come")


def wait_until_pending(model: Model, count: int) -> None:
    wait_until(
        lambda: (
            f'nv_inference_pending_request_count{{model="{model.name}",version="1"}} {count}\n' in metrics(model.server)
        )
    )


QUEUE = """
max_batch_size: 2
dynamic_batching { priority_levels: 2 default_priority_level: 2 default_queue_policy { %s } }
"""


def test_the_urgent_ones_go_first(house: OnRequest) -> None:
    model = served(house, QUEUE % "", HELD)
    with held(model) as ask:
        for count, (number, priority) in enumerate([(1, 2), (2, 2), (3, 1), (4, 1)], start=1):
            ask(number, priority=priority)
            wait_until_pending(model, count)
    assert (model.folder / "seen").read_text() == "0.0\n3.0 4.0\n1.0 2.0\n"


@pytest.mark.parametrize(
    ("policy", "timeout_us", "sentence"),
    [
        ("allow_timeout_override: true", 1000, "no turn came within 0.001 s"),
        ("default_timeout_microseconds: 1000", 0, "no turn came within 0.001 s"),
        ("max_queue_size: 1", 0, "1 requests of priority level 2 are waiting already"),
    ],
    ids=["override", "reject", "queue size"],
)
def test_the_queue_policy_holds(house: OnRequest, policy: str, timeout_us: int, sentence: str) -> None:
    model = served(house, QUEUE % policy, HELD)
    with held(model) as ask:
        if "max_queue_size" in policy:
            ask(1)
            wait_until_pending(model, 1)
        error = ask(2, timeout=timeout_us or None).exception(timeout=60)
    assert isinstance(error, InferenceServerException)
    assert error.status() == "StatusCode.UNAVAILABLE"
    assert sentence in error.message()
    assert counted(model.server, model.name)[0] == (2 if "max_queue_size" in policy else 1)
