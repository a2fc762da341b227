"""Requests that run together, over the real server."""

import json
import os
import random
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from batched_models import only_eight, touchy, two_outputs, write
from counts import counted, metrics
from on_request import OnRequest, on_request
from server_process import ServerProcess

SIZES = range(1, 9)
ONE_SLOT = 'parameters { key: "nireq" value { string_value: "1" } }'
TWO_SLOTS = 'parameters { key: "nireq" value { string_value: "2" } }'
PADDED = 'parameters { key: "ENABLE_BATCH_PADDING" value { string_value: "YES" } }'
# Long enough for all that a test asks at the same time, and no test waits for its end: groups are full before.
WAITING = "dynamic_batching { max_queue_delay_microseconds: 60000000 }"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRequest]:
    families = ("--metrics_enable", "--triton_metrics", "--metrics_list", "ovms_infer_req_active")
    with on_request(tmp_path_factory.mktemp("batching"), *families) as house:
        yield house


def served(house: OnRequest, text: str, model: ov.Model) -> str:
    """Have a model served; its name."""
    name = house.name()
    write(house.root, text, model, name)
    house.load(name)
    return name


def ask(client: triton.InferenceServerClient, x: np.ndarray, model: str, **options: object) -> np.ndarray:
    tensor = triton.InferInput("x", x.shape, "FP32")
    tensor.set_data_from_numpy(x)
    return client.infer(model, [tensor], **options).as_numpy("y")


def together(address: str, parts: Sequence[np.ndarray], model: str) -> list[np.ndarray | InferenceServerException]:
    """Ask for all parts at the same time."""

    def answer(x: np.ndarray) -> np.ndarray | InferenceServerException:
        try:
            return ask(client, x, model)
        except InferenceServerException as error:
            return error

    with triton.InferenceServerClient(address) as client, ThreadPoolExecutor(len(parts)) as threads:
        return list(threads.map(answer, parts))


def rows(size: int, first: float = 0, columns: int = 3) -> np.ndarray:
    return np.arange(first, first + size * columns, dtype=np.float32).reshape(size, columns)


@pytest.mark.parametrize(
    ("text", "model", "expected"),
    [
        (f"max_batch_size: 8 {PADDED}", "only_eight", lambda x: x + x),
        ("max_batch_size: 8", "dynamic", lambda x: x + 1),
    ],
    ids=["padded", "dynamic"],
)
def test_every_row_of_mixed_sizes_is_right(
    house: OnRequest, text: str, model: str, expected: Callable[[np.ndarray], np.ndarray]
) -> None:
    """OVSERVE_TEST_BATCHED raises the number of requests."""
    count = int(os.environ.get("OVSERVE_TEST_BATCHED", "800"))
    made = only_eight() if model == "only_eight" else small_models.add_one([-1, 3])
    batching = "dynamic_batching { preferred_batch_size: 8 max_queue_delay_microseconds: 500 }"
    name = served(house, f"{text} {TWO_SLOTS} {batching}", made)
    sizes = random.Random(9).choices(SIZES, k=count)
    with triton.InferenceServerClient(house.server.address) as client, ThreadPoolExecutor(16) as threads:

        def is_right(number: int) -> bool:
            x = rows(sizes[number], first=number % 1000)
            return np.array_equal(ask(client, x, name), expected(x))

        assert all(threads.map(is_right, range(count)))
    requests, inferences, executions, batches = counted(house.server, name)
    assert (requests, inferences) == (count, sum(sizes))
    assert executions == sum(batches.values()) < requests
    assert max(batches) <= 8


def test_what_comes_together_runs_together_and_is_counted_as_one_execution(house: OnRequest) -> None:
    name = served(house, f"max_batch_size: 4 {WAITING}", small_models.add_one([-1, 3]))
    parts = [rows(1, 0), rows(2, 10), rows(1, 20)]
    assert all(map(np.array_equal, together(house.server.address, parts, name), [part + 1 for part in parts]))
    assert counted(house.server, name) == (3, 4, 1, {4: 1})
    shown = metrics(house.server)
    for family, count in (("request_success", 3), ("count", 4), ("exec_count", 1), ("pending_request_count", 0)):
        assert f'nv_inference_{family}{{model="{name}",version="1"}} {count}' in shown


@pytest.mark.parametrize("shapes", [((1, 3), (1, 4)), ((1, 3), (2, 4))])
def test_only_equal_shapes_run_together(house: OnRequest, shapes: Sequence[tuple[int, int]]) -> None:
    batching = "dynamic_batching { max_queue_delay_microseconds: 20000 }"
    name = served(house, f"max_batch_size: 4 {batching}", small_models.add_one([-1, -1]))
    parts = [np.full(shape, number, np.float32) for number, shape in enumerate(shapes)]
    assert all(map(np.array_equal, together(house.server.address, parts, name), [part + 1 for part in parts]))
    assert counted(house.server, name)[2] == len(shapes)


def test_requests_for_different_outputs_run_together(house: OnRequest) -> None:
    name = served(house, f"max_batch_size: 2 {WAITING}", two_outputs())
    with triton.InferenceServerClient(house.server.address) as client, ThreadPoolExecutor(2) as threads:

        def names(wanted: str) -> list[str]:
            tensor = triton.InferInput("x", [1, 4], "FP32")
            tensor.set_data_from_numpy(rows(1, columns=4))
            result = client.infer(name, [tensor], outputs=[triton.InferRequestedOutput(wanted)])
            return [output.name for output in result.get_response().outputs]

        assert list(threads.map(names, ["more", "double"])) == [["more"], ["double"]]
    assert counted(house.server, name)[2] == 1


def test_only_the_guilty_request_of_a_group_fails(house: OnRequest) -> None:
    name = served(house, f"max_batch_size: 4 {WAITING}", touchy())
    good, bad = rows(1, columns=2), np.full((1, 2), 200, np.float32)
    found = together(house.server.address, [good, good, bad, good], name)
    assert isinstance(found[2], InferenceServerException)
    assert f"model '{name}' version 1" in found[2].message()
    assert [answer.tolist() for answer in (found[0], found[1], found[3])] == [[[1, 2]]] * 3
    assert counted(house.server, name)[:3] == (3, 3, 3)


@pytest.mark.parametrize("model", ["only_eight", "static"])
@pytest.mark.parametrize("batching", ["", "dynamic_batching { }"])
def test_a_fixed_batch_is_filled_up_for_every_size(house: OnRequest, model: str, batching: str) -> None:
    made = only_eight() if model == "only_eight" else small_models.add_one([8, 3])
    name = served(house, f"max_batch_size: 8 {PADDED} {batching}", made)
    with triton.InferenceServerClient(house.server.address) as client:
        for size in (8, 1, 7, 2, 6, 3, 5, 4, 8):
            x = rows(size, first=size)
            assert np.array_equal(ask(client, x, name), x + x if model == "only_eight" else x + 1)
        with pytest.raises(InferenceServerException, match=r"batch size - Expected: \[1~8\]; Actual: 9"):
            ask(client, rows(9), name)
        assert list(client.get_model_metadata(name).inputs[0].shape) == [-1, 3]
    assert counted(house.server, name)[3] == {**dict.fromkeys(SIZES, 1), 8: 2}


def test_without_padding_a_fixed_batch_takes_no_other(house: OnRequest) -> None:
    name = served(house, "max_batch_size: 8", only_eight())
    with triton.InferenceServerClient(house.server.address) as client:
        assert np.array_equal(ask(client, rows(8), name), 2 * rows(8))
        with pytest.raises(InferenceServerException, match=r"a batch of 8 in all, got 2; .* ENABLE_BATCH_PADDING"):
            ask(client, rows(2), name)


def test_inputs_of_different_batches_are_refused(house: OnRequest) -> None:
    name = served(house, "max_batch_size: 4 dynamic_batching { }", small_models.add_sub([-1, 4]))
    with triton.InferenceServerClient(house.server.address) as client:
        tensors = [triton.InferInput("a", [1, 4], "FP32"), triton.InferInput("b", [2, 4], "FP32")]
        for tensor, size in zip(tensors, (1, 2), strict=True):
            tensor.set_data_from_numpy(rows(size, columns=4))
        with pytest.raises(
            InferenceServerException, match="input 'b' has a batch of 2, expected 1 as 'a' has"
        ) as error:
            client.infer(name, tensors)
    assert error.value.status() == "StatusCode.INVALID_ARGUMENT"


SLOW_QUEUE = """dynamic_batching {
  default_queue_policy { %s }
}"""


def slow(n: int) -> list[triton.InferInput]:
    tensor = triton.InferInput("n", [], "INT64")
    tensor.set_data_from_numpy(np.array(n, np.int64))
    return [tensor]


@pytest.mark.parametrize(
    ("policy", "timeout_us", "refused"),
    [
        ("allow_timeout_override: true", 1000, True),
        ("default_timeout_microseconds: 1000", None, True),
        ("default_timeout_microseconds: 1000 timeout_action: DELAY", None, False),
        ("allow_timeout_override: true timeout_action: DELAY", 1000, False),
        ("", 1000, False),
        ("max_queue_size: 1", None, False),
    ],
    ids=["override", "reject", "delay", "override and delay", "no override", "queue size"],
)
def test_the_queue_policy_says_what_becomes_of_who_waits(
    house: OnRequest, policy: str, timeout_us: int | None, refused: bool
) -> None:
    """Of a model without batches, which has the queue all the same."""
    name = served(house, f"{ONE_SLOT} {SLOW_QUEUE % policy}", small_models.slow())
    with triton.InferenceServerClient(house.server.address) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.infer, name, slow(1500 if refused else 200))
        wait_until_running(house.server, name, first.done)
        if refused:
            with pytest.raises(InferenceServerException, match=r"no turn came within 0.001 s") as error:
                client.infer(name, slow(1), timeout=timeout_us)
            assert error.value.status() == "StatusCode.UNAVAILABLE"
        else:
            client.infer(name, slow(1), timeout=timeout_us)
        first.result()


def wait_until_running(server: ServerProcess, name: str, done: Callable[[], bool]) -> None:
    """Until the request in front has the only slot, or is `done` already."""
    deadline_s = time.monotonic() + 60
    while not done() and f'ovms_infer_req_active{{name="{name}",version="1"}} 1' not in metrics(server):
        assert time.monotonic() < deadline_s


def test_modelconfig_shows_it(house: OnRequest) -> None:
    text = "dynamic_batching { preferred_batch_size: [ 2, 4 ] max_queue_delay_microseconds: 100 }"
    name = served(house, f"max_batch_size: 4 {text}", small_models.add_one([-1, 3]))
    with triton.InferenceServerClient(house.server.address) as client:
        found = client.get_model_config(name).config.dynamic_batching
    assert (list(found.preferred_batch_size), found.max_queue_delay_microseconds) == ([2, 4], 100)
    with urllib.request.urlopen(f"http://{house.server.rest_address}/v2/models/{name}/config") as answer:
        shown = json.load(answer)["dynamic_batching"]
    assert (shown["preferred_batch_size"], int(shown["max_queue_delay_microseconds"])) == ([2, 4], 100)
    assert "has no effect" not in house.server.log


ENSEMBLE = """
max_batch_size: 4
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 3 ] } ]
ensemble_scheduling { step [
  { model_name: "%s" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } }
] }
"""


def test_a_pipelines_parts_run_together(house: OnRequest) -> None:
    name = served(house, f"max_batch_size: 4 {WAITING}", small_models.add_one([-1, 3]))
    (house.root / "both/1").mkdir(parents=True)
    (house.root / "both/config.pbtxt").write_text(ENSEMBLE % name)
    house.load("both")
    parts = [rows(1, 0), rows(2, 10), rows(1, 20)]
    assert all(map(np.array_equal, together(house.server.address, parts, "both"), [part + 1 for part in parts]))
    assert counted(house.server, name)[2] == 1


def test_a_model_that_is_swapped_answers_whom_it_has_let_in(house: OnRequest) -> None:
    batching = "dynamic_batching { max_queue_delay_microseconds: 300000 }"
    name = served(house, f"max_batch_size: 8 {batching}", small_models.add_one([-1, 3]))
    with triton.InferenceServerClient(house.server.address) as client, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask, client, rows(1, number), name) for number in range(4)]
        client.unload_model(name)
        outcomes = [future.exception() is None and future.result()[0, 0] for future in asked]
    # Whoever came after the unload is told that there is no such model; nobody waits for ever, nobody gets nonsense.
    assert all(outcome is False or outcome == number + 1 for number, outcome in enumerate(outcomes))
