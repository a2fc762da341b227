"""A Triton repository with its config.pbtxt files, served as it is."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

import small_models
from client_process import ovclient
from ovclient import InvalidRequest, OVClientError
from server_process import ServerProcess
from watched import Watched, adding

Start = Callable[..., Watched]


def write(repository: Path, text: str, version: int = 1, name: str = "m") -> Path:
    """A model that takes any batch of two numbers, and its config.pbtxt."""
    small_models.save(small_models.add_one([-1, 2]), repository / name / str(version))
    (repository / name / "config.pbtxt").write_text(text)
    return repository / name


BATCHED = """
name: "m"
backend: "openvino"
max_batch_size: 4
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } ]
instance_group [ { count: 3 kind: KIND_CPU } ]
parameters { key: "PERFORMANCE_HINT" value: { string_value: "LATENCY" } }
response_cache { enable: true }
"""


def test_what_it_says_is_in_force_and_what_has_no_effect_is_named(watched: Start, repository: Path) -> None:
    write(repository, BATCHED)
    one = watched()
    assert one.client.infer("m", np.zeros((4, 2), np.float32))["y"].tolist() == [[1, 1]] * 4
    with pytest.raises(InvalidRequest, match=r"batch size - Expected: \[1~4\]; Actual: 5; input name: x"):
        one.client.infer("m", np.zeros((5, 2), np.float32))
    assert list(one.client.metadata("m").inputs[0].shape) == [-1, 2]
    assert "slots=3" in one.server.log
    assert "response_cache has no effect" in one.server.log


def test_modelconfig_answers_what_it_says_completed_by_the_model(watched: Start, repository: Path) -> None:
    write(repository, BATCHED)
    with triton.InferenceServerClient(watched().server.address) as client:
        config = client.get_model_config("m", as_json=True)["config"]
    assert (config["name"], config["max_batch_size"], config["backend"]) == ("m", 4, "openvino")
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": ["2"]}]
    assert config["output"] == [{"name": "y", "data_type": "TYPE_FP32", "dims": ["2"]}]
    assert config["version_policy"] == {"latest": {"num_versions": 1}}
    assert config["parameters"]["PERFORMANCE_HINT"] == {"string_value": "LATENCY"}


def test_a_flag_beats_it(watched: Start, repository: Path) -> None:
    write(repository, 'parameters { key: "nireq" value: { string_value: "3" } }')
    assert "slots=5" in watched("--nireq", "5").server.log
    assert "slots=3" in watched().server.log


def test_its_version_policy_is_kept(watched: Start, repository: Path) -> None:
    for version in (1, 2, 3):
        folder = write(repository, "version_policy: { specific { versions: [1, 3] } }", version)
    one = watched()
    assert {version for version, (state, _) in one.rows().items() if state == "READY"} == {"1", "3"}
    (folder / "config.pbtxt").write_text("version_policy: { latest { num_versions: 2 } }")
    one.wait_state("2", "READY")
    one.wait_state("1", "UNAVAILABLE", "unloaded")
    assert one.rows()["3"] == ("READY", "")


def test_a_change_of_it_is_a_change_of_the_model_and_a_wrong_one_changes_nothing(
    watched: Start, repository: Path
) -> None:
    folder = write(repository, BATCHED)
    one = watched()
    (folder / "config.pbtxt").write_text("max_batch_size: many")
    one.wait(lambda: "configuration refused" in one.server.log, "waiting for the refusal")
    assert "line 1, column 17: " in one.server.log
    assert one.client.infer("m", np.zeros((4, 2), np.float32))["y"].shape == (4, 2)
    (folder / "config.pbtxt").write_text("max_batch_size: 8")

    def takes_eight() -> bool:
        try:
            return one.client.infer("m", np.zeros((8, 2), np.float32))["y"].shape == (8, 2)
        except InvalidRequest:
            return False

    one.wait(takes_eight, "waiting for the new configuration")


def test_a_wrong_one_beside_a_model_that_serves_is_told_until_it_is_right_again(
    watched: Start, repository: Path
) -> None:
    config = write(repository, BATCHED) / "config.pbtxt"
    one = watched()
    told = "its configuration is refused, the one before is in force: config.pbtxt: line 1, column 17: "
    for _ in range(2):
        config.write_text("max_batch_size: many")
        one.wait_state("1", "READY", told)
        assert told in models_list(one)
        assert one.client.infer("m", np.zeros((4, 2), np.float32))["y"].shape == (4, 2)
        config.write_text(BATCHED)
        one.wait(lambda: one.rows() == {"1": ("READY", "")}, "waiting for the reason to be gone")
    assert one.server.stop() == 0
    assert one.server.log.count("configuration refused") == 2
    assert one.server.log.count("version available") == 1


def models_list(one: Watched) -> str:
    return ovclient(one.server, "models", "list").stdout


def test_another_default_file_is_served(watched: Start, repository: Path) -> None:
    folder = write(repository, 'default_model_filename: "other.xml"')
    small_models.save(adding(5), repository / "m/1/other")
    for suffix in ("xml", "bin"):
        (repository / f"m/1/other/model.{suffix}").rename(folder / f"1/other.{suffix}")
    assert watched().answer() == 5


WARMED = """
model_warmup [ {
  name: "two rows" batch_size: 1 count: 2
  inputs { key: "x" value { data_type: TYPE_FP32 dims: [ 2, 2 ] input_data_file: "rows" } }
} ]
"""


def test_a_version_that_fails_its_warm_up_does_not_serve(watched: Start, repository: Path) -> None:
    folder = write(repository, WARMED)
    (folder / "warmup").mkdir()
    (folder / "warmup/rows").write_bytes(bytes(16))
    one = watched("--model_control_mode", "explicit", "--load_model", "m")  # which has no patience with young files
    one.wait_state("1", "READY")
    (folder / "warmup/rows").write_bytes(bytes(15))
    write(repository, WARMED, version=2)
    cause = "model_warmup 'two rows': 'warmup/rows' of shape [2,2] and datatype FP32 expects 16 bytes, got 15"
    with pytest.raises(OVClientError, match=re.escape(cause)):
        one.client.load_model("m")
    one.wait_state("2", "UNAVAILABLE", cause)
    assert one.client.infer("m", np.zeros((1, 2), np.float32))["y"].tolist() == [[1, 1]]


WRONG = {
    "field": (
        "nope: 3",
        'config.pbtxt: line 1, column 1: Message type "inference.ModelConfig" has no field named "nope".',
    ),
    "name": ('name: "n"', "config.pbtxt names the model 'n', its folder 'name'"),
    "sequence": (
        "sequence_batching { iterative_sequence: true }",
        "sequence_batching.iterative_sequence is not supported",
    ),
    "tensor": (
        'input [ { name: "z" data_type: TYPE_FP32 dims: [ 2 ] } ]',
        "config.pbtxt: configuration has an input 'z'",
    ),
    "datatype": (
        'input [ { name: "x" data_type: TYPE_INT8 dims: [ -1, 2 ] } ]',
        "expects datatype TYPE_INT8 for input 'x'",
    ),
    "parameter": (
        'parameters { key: "shape" value: { string_value: "x" } }',
        "config.pbtxt: parameter 'shape': 'x' is not",
    ),
    "kind": ("instance_group [ { kind: KIND_GPU } ]", "only KIND_CPU and KIND_AUTO are supported, got KIND_GPU"),
    "number": ("max_batch_size: 3000000000", "config.pbtxt: line 1, column 17"),
    "batching": (
        "max_batch_size: 4 dynamic_batching { preferred_batch_size: 5 }",
        "config.pbtxt: dynamic_batching: preferred_batch_size is 5, expected from 1 to max_batch_size 4",
    ),
    "garbage": ("\x00", "config.pbtxt: line 1, column 1"),
    "large": ("# " + "x" * (1 << 20), "config.pbtxt is larger than 1048576 bytes"),
}


@pytest.fixture(scope="module")
def folder_of_wrong_ones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wrong")


@pytest.fixture(scope="module")
def wrong_ones(folder_of_wrong_ones: Path) -> Iterator[Watched]:
    """A server with a model for each wrong configuration, and a sound one."""
    for name, (text, _) in WRONG.items():
        write(folder_of_wrong_ones, text, name=name)
    small_models.save(adding(1), folder_of_wrong_ones / "sound/1")
    one = Watched(ServerProcess("--model_repository", str(folder_of_wrong_ones)))
    yield one
    one.client.close()
    assert one.server.stop() == 0


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_told_in_a_sentence(wrong_ones: Watched, folder_of_wrong_ones: Path, name: str) -> None:
    ((state, reason),) = wrong_ones.rows(name).values()
    assert state == "UNAVAILABLE"
    assert WRONG[name][1] in reason
    assert str(folder_of_wrong_ones) not in reason
    assert wrong_ones.answer("sound") == 1
