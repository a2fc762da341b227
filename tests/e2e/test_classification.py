"""Classification with tritonclient: `label_filename`, batches, and what is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from server_process import ServerProcess
from watched import Watched

Serve = Callable[..., ServerProcess]

LABELLED = 'max_batch_size: %d output { name: "y" data_type: TYPE_FP32 dims: %s label_filename: "%s" }'
ENSEMBLE = """
platform: "ensemble"
max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: 3 }
output { name: "z" data_type: TYPE_FP32 dims: 3 }
ensemble_scheduling { step {
  model_name: "batched" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "z" } } }
"""


def add(repository: Path, name: str, shape: list[int], config: str) -> None:
    small_models.save(small_models.add_one(shape), repository / name / "1")
    (repository / name / "labels.txt").write_text("cat\ndog\r\nfox\n")
    (repository / name / "config.pbtxt").write_text(config)


@pytest.fixture(scope="module")
def watched_models(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    repository = tmp_path_factory.mktemp("repository")
    (repository / "outside.txt").write_text("secret\n")
    add(repository, "batched", [-1, 3], LABELLED % (4, 3, "labels.txt"))
    add(repository, "single", [1, 3], LABELLED % (0, "[1, 3]", "labels.txt"))
    add(repository, "missing", [1, 3], LABELLED % (0, "[1, 3]", "nope.txt"))
    add(repository, "escape", [1, 3], LABELLED % (0, "[1, 3]", "../outside.txt"))
    small_models.save(small_models.add_one([-1, 3]), repository / "plain/1")
    (repository / "ensemble/1").mkdir(parents=True)
    (repository / "ensemble/config.pbtxt").write_text(ENSEMBLE)
    watched = Watched(serve_once("--model_repository", str(repository)))
    with watched.client:
        yield watched


@pytest.fixture
def client(watched_models: Watched) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(watched_models.server.address) as client:
        yield client


def classes(
    client: triton.InferenceServerClient, name: str, values: list[list[float]], count: int, output: str = "y"
) -> object:
    data = np.array(values, np.float32)
    x = triton.InferInput("x", list(data.shape), "FP32")
    x.set_data_from_numpy(data)
    asked = [triton.InferRequestedOutput(output, class_count=count)]
    return client.infer(name, [x], outputs=asked).as_numpy(output).tolist()


def test_classes_have_names_and_each_in_the_batch_its_own(client: triton.InferenceServerClient) -> None:
    found = classes(client, "batched", [[0, 1, 2], [5, 4, 3]], 2)
    assert found == [[b"3.000000:2:fox", b"2.000000:1:dog"], [b"6.000000:0:cat", b"5.000000:1:dog"]]


def test_where_config_pbtxt_has_no_batches_there_is_one_list(client: triton.InferenceServerClient) -> None:
    assert classes(client, "single", [[0, 1, 2]], 1) == [b"3.000000:2:fox"]


def test_without_config_pbtxt_the_first_dimension_is_the_batch(client: triton.InferenceServerClient) -> None:
    assert classes(client, "plain", [[0, 1, 2], [5, 4, 3]], 1) == [[b"3.000000:2"], [b"6.000000:0"]]


def test_an_ensemble_has_the_names_of_its_model(client: triton.InferenceServerClient) -> None:
    assert classes(client, "ensemble", [[0, 1, 2]], 1, "z") == [[b"3.000000:2:fox"]]


def test_less_than_one_class_is_refused(client: triton.InferenceServerClient) -> None:
    with pytest.raises(
        InferenceServerException, match=r"INVALID_ARGUMENT.*output 'y': classification expects 1 or more"
    ):
        classes(client, "batched", [[0, 1, 2]], -1)


@pytest.mark.parametrize(
    ("name", "sentence"), [("missing", "cannot be read: No such file"), ("escape", "leads out of the model's folder")]
)
def test_a_model_whose_labels_cannot_be_had_is_not_served(watched_models: Watched, name: str, sentence: str) -> None:
    state, reason = watched_models.rows(name)["1"]
    assert state == "UNAVAILABLE"
    assert "label_filename" in reason
    assert sentence in reason
