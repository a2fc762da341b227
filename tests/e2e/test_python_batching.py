"""Requests to Python models that are executed together, over the real server."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from counts import counted, metrics
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


def write(root: Path, config: str, text: str = TOGETHER, *, of_input: str = "") -> Path:
    folder = root / "m/1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(text)
    (root / "m/config.pbtxt").write_text('backend: "python"' + TENSORS % of_input + config)
    return folder


def tensors(x: np.ndarray) -> list[triton.InferInput]:
    tensor = triton.InferInput("x", x.shape, "FP32")
    tensor.set_data_from_numpy(x)
    return [tensor]


def rows(number: float, size: int = 1, columns: int = 1) -> np.ndarray:
    return np.full((size, columns), number, np.float32)


def together(address: str, parts: Sequence[np.ndarray]) -> list[list[list[float]] | str]:
    """Ask for all parts at the same time; an error as its sentence."""

    def answer(x: np.ndarray) -> list[list[float]] | str:
        with triton.InferenceServerClient(address) as client:
            try:
                return client.infer("m", tensors(x), client_timeout=60).as_numpy("y").tolist()
            except InferenceServerException as error:
                return error.message()

    with ThreadPoolExecutor(len(parts)) as threads:
        return list(threads.map(answer, parts))


@pytest.mark.parametrize("isolation", ["in_process", "process"])
def test_sixteen_clients_are_one_execution(serve: Serve, repository: Path, isolation: str) -> None:
    write(repository, "max_batch_size: 16 " + WAITING % "")
    server = serve("--model_repository", str(repository), "--python_model_isolation", isolation)
    assert together(server.address, [rows(n) for n in range(16)]) == [[[n, 16]] for n in range(16)]
    assert counted(server) == (16, 16, 1, {16: 1})
    assert "has no effect" not in server.log


def test_rows_count_and_not_requests(serve: Serve, repository: Path) -> None:
    write(repository, "max_batch_size: 4 " + WAITING % "")
    server = serve("--model_repository", str(repository))
    assert together(server.address, [rows(1, 3), rows(2)]) == [[[1, 2]] * 3, [[2, 2]]]
    assert counted(server) == (2, 4, 1, {4: 1})


def test_groups_have_preferred_sizes(serve: Serve, repository: Path) -> None:
    write(repository, "max_batch_size: 8 " + WAITING % "preferred_batch_size: [ 2, 4 ]")
    server = serve("--model_repository", str(repository))
    answers = together(server.address, [rows(n) for n in range(12)])
    assert [seen for seen in answers if isinstance(seen, str) or seen[0][1] not in {2, 4}] == []
    assert set(counted(server)[3]) <= {2, 4}


def test_a_model_may_ask_for_it_itself(serve: Serve, repository: Path) -> None:
    folder = write(repository, "", HELD + COMPLETED)
    server = serve("--model_repository", str(repository), "--metrics_enable", "--triton_metrics", rest=True)
    with held(server, folder) as ask:
        others = [ask(n) for n in (1, 2, 3, 4)]
        wait_until_pending(server, 4)
    assert [other.result().tolist() for other in others] == [[[n, 4]] for n in (1, 2, 3, 4)]


def test_without_it_each_request_is_executed_by_itself(serve: Serve, repository: Path) -> None:
    write(repository, "max_batch_size: 4")
    server = serve("--model_repository", str(repository))
    assert together(server.address, [rows(n) for n in range(8)]) == [[[n, 1]] for n in range(8)]
    assert counted(server)[:3] == (8, 8, 8)


@pytest.mark.parametrize(("of_input", "executions"), [("", 2), ("allow_ragged_batch: true", 1)])
def test_other_shapes_are_in_a_group_where_they_are_allowed(
    serve: Serve, repository: Path, of_input: str, executions: int
) -> None:
    delay_us = 60_000_000 if of_input else 20_000
    batching = f"max_batch_size: 2 dynamic_batching {{ max_queue_delay_microseconds: {delay_us} }}"
    write(repository, batching, of_input=of_input)
    server = serve("--model_repository", str(repository))
    size = 3 - executions
    assert together(server.address, [rows(1, columns=3), rows(2, columns=5)]) == [[[1, size]], [[2, size]]]
    assert counted(server)[2] == executions


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (-1, "execute failed: ValueError: negative"),
        (-2, "execute must return a response for each request, got 0 for 3"),
    ],
)
def test_what_concerns_no_single_request_is_an_error_for_all_of_the_group(
    serve: Serve, repository: Path, bad: int, cause: str
) -> None:
    write(repository, "max_batch_size: 3 " + WAITING % "")
    server = serve("--model_repository", str(repository))
    assert together(server.address, [rows(1), rows(bad), rows(2)]) == [f"model 'm' version 1: {cause}"] * 3
    assert counted(server)[:3] == (0, 0, 0)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_among_the_responses_is_for_one(serve: Serve, repository: Path, bad: int) -> None:
    write(repository, "max_batch_size: 3 " + WAITING % "")
    server = serve("--model_repository", str(repository))
    answers = together(server.address, [rows(2000 if n == bad else n) for n in range(3)])
    assert answers == ["model 'm' version 1: too much" if n == bad else [[n, 3]] for n in range(3)]
    assert counted(server) == (2, 2, 1, {3: 1})


def test_who_has_gone_is_not_in_the_group(serve: Serve, repository: Path) -> None:
    write(repository, "max_batch_size: 3 " + WAITING % "")
    server = serve("--model_repository", str(repository), "--metrics_enable", "--triton_metrics", rest=True)
    with triton.InferenceServerClient(server.address) as client:
        call = client.async_infer("m", tensors(rows(9)), lambda result, error: None)
        wait_until_pending(server, 1)
        call.cancel()
        wait_until_pending(server, 0)
    assert together(server.address, [rows(n) for n in range(3)]) == [[[n, 3]] for n in range(3)]


def test_members_of_a_decoupled_group_answer_on_their_own(serve: Serve, repository: Path) -> None:
    decoupled = "model_transaction_policy { decoupled: true } max_batch_size: 4"
    write(repository, f"{decoupled} " + WAITING % "", INTERLEAVED)
    server = serve("--model_repository", str(repository))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: streamed(server.address, number), range(4)))
    assert found == [[[[number, 4]]] * 2 for number in range(4)]
    assert counted(server)[2] == 1


def streamed(address: str, number: int) -> list[list[list[float]]]:
    """What a stream brings for one request, up to the final response."""
    got: queue.SimpleQueue = queue.SimpleQueue()
    with triton.InferenceServerClient(address) as client:
        client.start_stream(callback=lambda result, error: got.put((result, error)))
        client.async_stream_infer("m", tensors(rows(number)))
        found, is_final = [], False
        while not is_final:
            result, error = got.get(timeout=60)
            assert error is None, error.message()
            is_final = result.get_response().parameters["triton_final_response"].bool_param
            found.append(result.as_numpy("y").tolist())
        client.stop_stream()
    return found


@contextmanager
def held(server: ServerProcess, folder: Path) -> Iterator[Callable[..., "Future[np.ndarray]"]]:
    """Hold the model with a request that it executes; give what asks for more, and let go at the end."""
    with triton.InferenceServerClient(server.address) as client, ThreadPoolExecutor(16) as threads:

        def ask(number: float, **options: int) -> "Future[np.ndarray]":
            return threads.submit(
                lambda: client.infer("m", tensors(rows(number)), client_timeout=60, **options).as_numpy("y")
            )

        first = ask(0)
        try:
            wait_until((folder / "seen").exists)
            yield ask
        finally:
            (folder / "go").touch()
        assert first.result().tolist() == [[0, 1]]


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(6000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not come")


def wait_until_pending(server: ServerProcess, count: int) -> None:
    wait_until(lambda: f'nv_inference_pending_request_count{{model="m",version="1"}} {count}\n' in metrics(server))


QUEUE = """
max_batch_size: 2
dynamic_batching { priority_levels: 2 default_priority_level: 2 default_queue_policy { %s } }
"""


def test_the_urgent_ones_go_first(serve: Serve, repository: Path) -> None:
    folder = write(repository, QUEUE % "", HELD)
    server = serve("--model_repository", str(repository), "--metrics_enable", "--triton_metrics", rest=True)
    with held(server, folder) as ask:
        for count, (number, priority) in enumerate([(1, 2), (2, 2), (3, 1), (4, 1)], start=1):
            ask(number, priority=priority)
            wait_until_pending(server, count)
    assert (folder / "seen").read_text() == "0.0\n3.0 4.0\n1.0 2.0\n"


@pytest.mark.parametrize(
    ("policy", "timeout_us", "sentence"),
    [
        ("allow_timeout_override: true", 1000, "no turn came within 0.001 s"),
        ("default_timeout_microseconds: 1000", 0, "no turn came within 0.001 s"),
        ("max_queue_size: 1", 0, "1 requests of priority level 2 are waiting already"),
    ],
    ids=["override", "reject", "queue size"],
)
def test_the_queue_policy_holds(serve: Serve, repository: Path, policy: str, timeout_us: int, sentence: str) -> None:
    folder = write(repository, QUEUE % policy, HELD)
    server = serve("--model_repository", str(repository), "--metrics_enable", "--triton_metrics", rest=True)
    with held(server, folder) as ask:
        if "max_queue_size" in policy:
            ask(1)
            wait_until_pending(server, 1)
        error = ask(2, timeout=timeout_us or None).exception(timeout=60)
    assert isinstance(error, InferenceServerException)
    assert error.status() == "StatusCode.UNAVAILABLE"
    assert sentence in error.message()
    assert counted(server)[0] == (2 if "max_queue_size" in policy else 1)
