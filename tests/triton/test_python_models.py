"""One and the same Python models: what a real Triton answers with its own backend, and what ovserve answers."""

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from python_repository import lay_out
from server_process import ServerProcess
from triton_server import TritonProcess

A = np.arange(4, dtype=np.float32)
B = np.ones(4, np.float32)
TOO_MUCH = A + 2000

Address = str


@pytest.fixture(scope="module")
def on_triton(start: Callable[..., TritonProcess], tmp_path_factory: pytest.TempPathFactory) -> Address:
    return start(lay_out(tmp_path_factory.mktemp("triton") / "models")).address


@pytest.fixture(scope="module")
def on_ovserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    server = ServerProcess("--model_repository", str(lay_out(tmp_path_factory.mktemp("ovserve") / "models")))
    yield server.address
    assert server.stop() == 0
    assert "internal error" not in server.log


@pytest.fixture(params=["triton", "ovserve"])
def client(request: pytest.FixtureRequest) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(request.getfixturevalue(f"on_{request.param}")) as client:
        yield client


def inputs(**arrays: np.ndarray) -> list[triton.InferInput]:
    made = []
    for name, array in arrays.items():
        made.append(triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        made[-1].set_data_from_numpy(array)
    return made


def infer(client: triton.InferenceServerClient, model: str, **arrays: np.ndarray) -> dict[str, list[Any]]:
    return outputs(client.infer(model, inputs(**arrays), client_timeout=60))


def outputs(result: triton.InferResult) -> dict[str, list[Any]]:
    return {output.name: result.as_numpy(output.name).tolist() for output in result.get_response().outputs}


def refusal(client: triton.InferenceServerClient, model: str, **arrays: np.ndarray) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as raised:
        infer(client, model, **arrays)
    return raised.value.status(), raised.value.message()


def stream(
    client: triton.InferenceServerClient, model: str, *, ends: bool = True, **arrays: np.ndarray
) -> list[tuple[Any, bool | None]]:
    """What comes for one request, each with its final flag; an error as its sentence's last words."""
    got: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
    client.start_stream(callback=lambda result, error: got.put((result, error)))
    client.async_stream_infer(model, inputs(**arrays), request_id="r", enable_empty_final_response=ends)
    found: list[tuple[Any, bool | None]] = []
    while not found or found[-1][1] is False or isinstance(found[-1][0], str):
        result, error = got.get(timeout=60)
        if error is not None:
            found.append((error.message().rpartition(": ")[2], None))
            if not ends or model == "add_sub":
                break
            continue
        response = result.get_response()
        assert (response.id, response.model_name) == ("r", model)
        found.append((outputs(result), response.parameters["triton_final_response"].bool_param))
    client.stop_stream()
    assert got.empty()
    return found


def test_add_sub(client: triton.InferenceServerClient) -> None:
    assert infer(client, "add_sub", INPUT0=A, INPUT1=B) == {"OUTPUT0": (A + B).tolist(), "OUTPUT1": (A - B).tolist()}


def test_an_error_of_the_models_own_has_its_code(client: triton.InferenceServerClient) -> None:
    status, sentence = refusal(client, "add_sub", INPUT0=TOO_MUCH, INPUT1=B)
    assert status == "StatusCode.INVALID_ARGUMENT"
    assert sentence.endswith("INPUT0 holds more than 1000")


def test_a_model_completes_its_configuration(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config("auto_complete").config
    assert (config.max_batch_size, [list(one.dims) for one in config.input]) == (4, [[4], [4]])
    assert config.HasField("dynamic_batching")
    rows = np.stack([A, B, A])
    assert infer(client, "auto_complete", INPUT0=rows, INPUT1=rows)["OUTPUT0"] == (rows * 2).tolist()
    five = np.stack([A] * 5)
    assert refusal(client, "auto_complete", INPUT0=five, INPUT1=five)[0] == "StatusCode.INVALID_ARGUMENT"


def at_once(client: triton.InferenceServerClient, *rows: np.ndarray) -> list[Any]:
    """What each gets of requests that come at the same time; an error as the last words of its first line."""

    def answer(row: np.ndarray) -> Any:
        try:
            return infer(client, "grouped", IN=row)["OUT"]
        except InferenceServerException as error:
            return error.message().splitlines()[0].rpartition(": ")[2]

    with ThreadPoolExecutor(len(rows)) as threads:
        return list(threads.map(answer, rows))


def full(number: float, rows: int = 1, columns: int = 3) -> np.ndarray:
    return np.full((rows, columns), number, np.float32)


def counts(client: triton.InferenceServerClient) -> tuple[int, int]:
    (found,) = client.get_inference_statistics("grouped").model_stats
    return found.inference_count, found.execution_count


def test_requests_that_come_together_are_executed_together(client: triton.InferenceServerClient) -> None:
    before = counts(client)
    assert at_once(client, full(1), full(2), full(3), full(4)) == [[[number, 4]] for number in (1, 2, 3, 4)]
    assert at_once(client, full(5, rows=3), full(6)) == [[[5, 2]] * 3, [[6, 2]]]
    after = counts(client)
    assert (after[0] - before[0], after[1] - before[1]) == (8, 2)


def test_requests_of_other_shapes_are_not(client: triton.InferenceServerClient) -> None:
    pairs = (full(1, rows=2), full(2, rows=2), full(3, rows=2, columns=5), full(4, rows=2, columns=5))
    seen = at_once(client, *pairs)
    assert [each[0][0] for each in seen] == [1, 2, 3, 4]
    assert {each[0][1] for each in seen} <= {1, 2}


def test_an_error_of_one_is_its_own_and_an_exception_is_everybodys(client: triton.InferenceServerClient) -> None:
    assert at_once(client, full(1, rows=3), full(1000)) == [[[1, 2]] * 3, "it is 1000"]
    assert at_once(client, full(1, rows=3), full(2000)) == ["it is 2000"] * 2


def named(model: str) -> np.ndarray:
    return np.array([model.encode()], np.object_)


def test_a_model_asks_another_and_waits(client: triton.InferenceServerClient) -> None:
    found = infer(client, "bls_sync", MODEL_NAME=named("add_sub"), INPUT0=A, INPUT1=B)
    assert found == {"OUTPUT0": (A + B).tolist(), "OUTPUT1": (A - B).tolist()}


@pytest.mark.parametrize("other", ["nope", "square", "twice", "bls_sync"])
def test_what_another_model_cannot_answer_is_an_error_in_its_answer(
    client: triton.InferenceServerClient, other: str
) -> None:
    _, sentence = refusal(client, "bls_sync", MODEL_NAME=named(other), INPUT0=A, INPUT1=B)
    assert "asked in vain: " in sentence
    assert other in sentence


def test_a_model_asks_two_others_at_once(client: triton.InferenceServerClient) -> None:
    found = infer(client, "bls_async", INPUT0=A, INPUT1=B)
    assert found == {"OUTPUT0": (A + B).tolist(), "OUTPUT1": (A - B).tolist()}
    assert "INPUT0 holds more than 1000" in refusal(client, "bls_async", INPUT0=TOO_MUCH, INPUT1=B)[1]


def number(value: int) -> np.ndarray:
    return np.array([value], np.int32)


@pytest.mark.parametrize("times", [0, 1, 3, 40])
def test_a_decoupled_model_answers_as_often_as_it_likes(client: triton.InferenceServerClient, times: int) -> None:
    expected = [({"OUT": [times]}, False)] * times
    assert stream(client, "square", IN=number(times)) == [*expected, ({}, True)]


def test_an_error_is_one_of_the_responses(client: triton.InferenceServerClient) -> None:
    assert stream(client, "square", IN=number(-1)) == [("-1 times cannot be done", None), ({}, True)]


def test_the_final_flag_comes_with_the_last_response(client: triton.InferenceServerClient) -> None:
    numbers, delays = np.array([7, 8], np.int32), np.array([1, 2], np.uint32)
    expected = [({"OUT": [7], "IDX": [0]}, False), ({"OUT": [8], "IDX": [1]}, True)]
    assert stream(client, "repeat", ends=False, IN=numbers, DELAY=delays) == expected


def test_other_models_answer_once_in_a_stream(client: triton.InferenceServerClient) -> None:
    both = {"OUTPUT0": (A + B).tolist(), "OUTPUT1": (A - B).tolist()}
    assert stream(client, "add_sub", INPUT0=A, INPUT1=B) == [(both, True)]
    assert stream(client, "add_sub", INPUT0=TOO_MUCH, INPUT1=B) == [("INPUT0 holds more than 1000", None)]


@pytest.mark.parametrize("times", [0, 3])
def test_a_decoupled_model_is_for_streams(client: triton.InferenceServerClient, times: int) -> None:
    assert refusal(client, "square", IN=number(times))[0] == "StatusCode.UNIMPLEMENTED"
    assert client.get_model_config("square").config.model_transaction_policy.decoupled


@pytest.mark.parametrize("times", [0, 1, 20])
def test_a_model_reads_all_responses_of_another(client: triton.InferenceServerClient, times: int) -> None:
    assert infer(client, "bls_decoupled", IN=number(times)) == {"SUM": [times * times]}


def test_an_ensemble_of_python_models(client: triton.InferenceServerClient) -> None:
    assert infer(client, "twice", A=A, B=B) == {"DOUBLE_A": (2 * A).tolist()}
