"""What only a real Triton does: loading on demand, refused configurations, instances, its log."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import numpy as np
import openvino as ov
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from readme import CHECKOUT
from triton_page import Home
from triton_server import Served, TritonProcess
from wire_server import Wire, request


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("explicit")
    for name in ("first", "second"):
        small_models.save(small_models.add_one([1, 3, 8, 8]), root / name / "1")
    return root


@pytest.fixture(scope="module")
def explicit(start: Callable[..., TritonProcess], repository: Path) -> TritonProcess:
    return start(repository, "--model-control-mode explicit")


@pytest.fixture
def client(explicit: TritonProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(explicit.address) as client:
        yield client


def infer(client: triton.InferenceServerClient, model: str, *shape: int) -> list[int]:
    """Ask add_one for ones, and tell the shape of the twos that come."""
    tensor = triton.InferInput("x", list(shape), "FP32")
    tensor.set_data_from_numpy(np.ones(shape, np.float32))
    got = client.infer(model, [tensor], client_timeout=60).as_numpy("y")
    assert (got == 2).all()
    return list(got.shape)


def state(client: triton.InferenceServerClient, model: str) -> tuple[str, str]:
    rows = client.get_model_repository_index().models
    return next((row.state, row.reason) for row in rows if row.name == model)


def test_a_model_is_loaded_unloaded_and_loaded_again(client: triton.InferenceServerClient) -> None:
    for _ in range(2):
        client.load_model("first")
        assert state(client, "first") == ("READY", "")
        assert infer(client, "first", 1, 3, 8, 8) == [1, 3, 8, 8]
        client.unload_model("first")
        assert not client.is_model_ready("first")
        with pytest.raises(InferenceServerException, match="no available versions") as refused:
            infer(client, "first", 1, 3, 8, 8)
        assert refused.value.status() == "StatusCode.NOT_FOUND"


def config(**parameters: str) -> str:
    values = {key: {"string_value": value} for key, value in parameters.items()}
    return json.dumps({"backend": "openvino_py", "parameters": values})


def test_a_configuration_comes_with_the_load(client: triton.InferenceServerClient) -> None:
    client.load_model("second", config=config(shape="(1,3,-1,8)", NUM_STREAMS="1"))
    assert list(client.get_model_metadata("second").inputs[0].shape) == [1, 3, -1, 8]
    assert infer(client, "second", 1, 3, 5, 8) == [1, 3, 5, 8]
    client.unload_model("second")


def test_a_models_files_come_with_the_load(client: triton.InferenceServerClient, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([-1]), tmp_path)
    files = {f"file:4/{name}": (tmp_path / name).read_bytes() for name in ("model.xml", "model.bin")}
    client.load_model("sent", config=config(), files=files)
    assert list(client.get_model_metadata("sent").versions) == ["4"]
    assert infer(client, "sent", 5) == [5]
    client.unload_model("sent")


def batched(most: int, model: ov.Model) -> tuple[str, ov.Model]:
    return json.dumps({"backend": "openvino_py", "max_batch_size": most}), model


def declared(**tensors: object) -> tuple[str, ov.Model]:
    return json.dumps({"backend": "openvino_py", **tensors}), small_models.add_sub([-1, 4])


X = {"name": "a", "data_type": "TYPE_FP32", "dims": [-1, 4]}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (batched(4, small_models.flat()), "batch_size 1:4"),
        (declared(input=[X]), "configuration expects 1 inputs, model provides 2"),
        (declared(input=[X, {**X, "name": "c"}]), "configuration has an input 'c', model provides 'a', 'b'"),
        (
            declared(input=[{**X, "data_type": "TYPE_INT8"}, {**X, "name": "b"}]),
            "configuration expects datatype TYPE_INT8 for input 'a', model provides TYPE_FP32",
        ),
        (
            declared(input=[{**X, "dims": [-1, 5]}, {**X, "name": "b"}]),
            "configuration expects dims [-1,5] for input 'a', model provides (-1,4)",
        ),
        (declared(parameters={"shape": {"string_value": "(1"}}), "parameter 'shape': '(1' is not a shape"),
        (
            declared(parameters={"INFERENCE_NUM_THREADS": {"string_value": "x"}}),
            "expected the parameter 'INFERENCE_NUM_THREADS' to be a non-negative number, got x",
        ),
    ],
    ids=["batch", "count", "name", "datatype", "dims", "parameter", "threads"],
)
def test_a_wrong_configuration_is_refused_with_one_sentence(
    client: triton.InferenceServerClient, repository: Path, wrong: tuple[str, ov.Model], sentence: str
) -> None:
    small_models.save(wrong[1], repository / "wrong" / "1")
    with pytest.raises(InferenceServerException):
        client.load_model("wrong", config=wrong[0])
    _, reason = state(client, "wrong")
    assert f"unable to load model 'wrong': {sentence}" in reason or (
        reason.startswith("Internal: TritonModelException: unable to load model 'wrong': Model could not be reshaped")
        and sentence in reason
    )
    assert str(repository) not in reason
    assert str(CHECKOUT) not in reason
    assert sys.prefix not in reason


def test_the_batch_is_left_out_of_dims_and_shown_in_metadata(on_triton: Served) -> None:
    with triton.InferenceServerClient(on_triton.address_of("batched")) as client:
        found = client.get_model_config("batched").config
        assert (found.max_batch_size, list(found.input[0].dims), list(found.output[0].dims)) == (4, [3], [3])
        assert found.HasField("dynamic_batching")
        assert list(client.get_model_metadata("batched").inputs[0].shape) == [-1, 3]


def test_instances_are_not_pinned_to_the_same_core(on_triton: Served) -> None:
    processes = [on_triton.triton.processes(instance) for instance in ("slow_twins_0_0", "slow_twins_0_1")]
    assert [len(found) for found in processes] == [1, 1]
    wire = Wire(on_triton.address_of("slow_twins"))
    message = request("slow_twins", {"n": np.array([100], np.int64)})
    calls = [wire.future("ModelInfer", message) for _ in range(6)]
    seen = set()
    while not all(call.done() for call in calls):  # OpenVINO pins a thread only for as long as it computes
        seen |= {cores for (process,) in processes for cores in affinities(process)}
    assert [call.code() for call in calls] == [grpc.StatusCode.OK] * len(calls)
    assert seen == {frozenset(os.sched_getaffinity(0))}
    wire.close()


def affinities(process: int) -> Iterator[frozenset[int]]:
    """On which cores each thread may run."""
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(ProcessLookupError):  # gone meanwhile
            yield frozenset(os.sched_getaffinity(int(task.name)))


def test_what_has_no_effect_is_named_in_the_log(client: triton.InferenceServerClient, explicit: TritonProcess) -> None:
    client.load_model("first", config=config(NO_SUCH_THING="1", ENABLE_BATCH_PADDING="YES"))
    for sentence in (
        "parameter 'NO_SUCH_THING' is unknown and has no effect model=first",
        "parameter 'ENABLE_BATCH_PADDING' has no effect: a batch below max_batch_size runs as it is model=first",
    ):
        assert explicit.log.count(sentence) == 1
    client.unload_model("first")


def test_arrays_that_would_come_back_empty_are_refused(
    home: Home, start: Callable[..., TritonProcess], repository: Path, tmp_path: Path
) -> None:
    server = start(repository, "--model-control-mode explicit", python=str(with_numpy_2(home, tmp_path)))
    with triton.InferenceServerClient(server.address) as client:
        with pytest.raises(InferenceServerException):
            client.load_model("first")
        _, reason = state(client, "first")
    assert "unable to load model 'first': this Triton does not carry the arrays of NumPy 2." in reason
    assert "install 'numpy<2' for the Python that its stub runs" in reason


def with_numpy_2(home: Home, folder: Path) -> Path:
    """Make an environment that has NumPy 2 before what Triton's has."""
    numpy, made = folder / "numpy", folder / "env"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(numpy), "numpy>=2"]
    subprocess.run(pip, capture_output=True, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    (its,) = (home.folder / "triton-env").glob("lib/python3*/site-packages")
    (site,) = made.glob("lib/python3*/site-packages")
    (site / "order.pth").write_text(f"{numpy}\n{its}\n")
    return made


def test_nothing_went_wrong_inside(on_triton: Served) -> None:
    wire = Wire(on_triton.address_of("dyn"))
    assert wire.infer(request("dyn", {"a": np.ones((1, 4), np.float32)})).code is grpc.StatusCode.INVALID_ARGUMENT
    wire.close()
    assert "internal error" not in on_triton.triton.log
    assert "Traceback" not in on_triton.triton.log
