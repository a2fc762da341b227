"""ModelStatistics with tritonclient, on real models."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import pipelines
import python_models
import small_models
from encoded_pictures import noise, png
from server_process import ServerProcess
from wire_server import texts

Serve = Callable[..., ServerProcess]

MODELS = ("batched", "ensemble", "failing", "m", "picture", "pictured")

BATCHED = 'max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: 2 } model_warmup { name: "w" batch_size: 2 inputs { key: "x" value { data_type: TYPE_FP32 dims: 2 zero_data: true } } }'
FAILING = "raise ValueError('no')"
PICTURED = """
platform: "ensemble"
input { name: "x" data_type: TYPE_FP32 dims: [1, 3, 8, 8] }
output { name: "y" data_type: TYPE_FP32 dims: [1, 1, 8, 8] }
ensemble_scheduling { step {
  model_name: "picture" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } }
"""


@pytest.fixture(scope="module")
def server(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    repository = tmp_path_factory.mktemp("repository")
    small_models.save(small_models.add_one([2]), repository / "m/1")
    small_models.save(small_models.add_one([-1, 2]), repository / "batched/1")
    (repository / "batched/config.pbtxt").write_text(BATCHED)
    (repository / "failing/1").mkdir(parents=True)
    (repository / "failing/1/model.py").write_text(python_models.source(FAILING))
    (repository / "failing/config.pbtxt").write_text('backend: "python"')
    (repository / "ensemble/1").mkdir(parents=True)
    (repository / "ensemble/config.pbtxt").write_text(pipelines.ENSEMBLE)
    (repository / "pictured/1").mkdir(parents=True)
    (repository / "pictured/config.pbtxt").write_text(PICTURED)
    small_models.save(small_models.channel_sum("NCHW"), repository / "picture/1")
    return serve_once("--model_repository", str(repository), "--model_control_mode", "explicit", "--load_model", "*")


@pytest.fixture
def client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    """All models anew, with nothing counted."""
    with triton.InferenceServerClient(server.address) as client:
        for name in MODELS:
            client.unload_model(name)
        for name in MODELS:
            client.load_model(name)
        yield client


def ask(client: triton.InferenceServerClient, name: str, *shape: int) -> None:
    x = triton.InferInput("x", list(shape), "FP32")
    x.set_data_from_numpy(np.zeros(shape, np.float32))
    client.infer(name, [x])


def counts(client: triton.InferenceServerClient, name: str) -> Any:
    (one,) = client.get_inference_statistics(name).model_stats
    return one


def test_each_request_is_counted_with_its_stages(client: triton.InferenceServerClient) -> None:
    for _ in range(3):
        ask(client, "m", 2)
    found = counts(client, "m")
    stats = found.inference_stats
    assert (found.name, found.version, found.inference_count, found.execution_count) == ("m", "1", 3, 3)
    assert found.last_inference > 0
    stages = [stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output]
    assert [stage.count for stage in (stats.success, *stages)] == [3] * 5
    assert stats.success.ns == sum(stage.ns for stage in stages)
    assert all(stage.ns > 0 for stage in stages)
    assert stats.fail.count == 0


@pytest.mark.parametrize("name", ["picture", "pictured"])
def test_decoding_counts_as_input(client: triton.InferenceServerClient, name: str) -> None:
    x = triton.InferInput("x", [1], "BYTES")
    x.set_data_from_numpy(texts(png(noise(1500, 1500))))
    client.infer(name, [x])
    stats = counts(client, name).inference_stats
    assert stats.compute_input.ns > stats.success.ns / 2  # of a model that is done at once
    stages = [stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output]
    assert stats.success.ns == sum(stage.ns for stage in stages)


def test_each_in_a_batch_counts_and_a_warm_up_does_not(client: triton.InferenceServerClient) -> None:
    for batch in (1, 3, 3):
        ask(client, "batched", batch, 2)
    found = counts(client, "batched")
    assert (found.inference_count, found.execution_count) == (7, 3)
    assert [(one.batch_size, one.compute_infer.count) for one in found.batch_stats] == [(1, 1), (3, 2)]


def test_what_was_refused_is_not_counted(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="INVALID_ARGUMENT"):
        ask(client, "m", 3)
    found = counts(client, "m")
    assert (found.inference_count, found.inference_stats.fail.count) == (0, 0)


def test_an_exception_counts_as_a_failure(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="INTERNAL"):
        ask(client, "failing", 2)
    found = counts(client, "failing")
    assert (found.inference_count, found.inference_stats.fail.count) == (0, 1)
    assert found.inference_stats.fail.ns > 0


def test_a_pipeline_and_its_member_are_counted(client: triton.InferenceServerClient) -> None:
    ask(client, "ensemble", 2)
    assert [counts(client, name).inference_count for name in ("ensemble", "m")] == [1, 1]


def test_a_reload_counts_afresh(client: triton.InferenceServerClient) -> None:
    ask(client, "m", 2)
    client.load_model("m", config=json.dumps({"parameters": {"nireq": {"string_value": "2"}}}))
    assert counts(client, "m").inference_count == 0


def test_without_a_name_all_models_are_told(client: triton.InferenceServerClient) -> None:
    found = client.get_inference_statistics().model_stats
    assert [one.name for one in found] == list(MODELS)


def test_the_server_says_that_it_has_statistics(client: triton.InferenceServerClient) -> None:
    assert "statistics" in client.get_server_metadata().extensions
