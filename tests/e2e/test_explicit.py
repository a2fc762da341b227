"""Mode explicit with tritonclient: models are loaded and unloaded by request."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from server_process import ServerProcess
from watched import Watched, adding

Start = Callable[..., Watched]
EXPLICIT = ("--model_control_mode", "explicit")


@pytest.fixture
def client(watched: Start, repository: Path) -> Iterator[triton.InferenceServerClient]:
    small_models.save(adding(1), repository / "m/1")
    small_models.save(adding(2), repository / "other/1")
    (repository / "broken/1").mkdir(parents=True)
    (repository / "broken/1/model.xml").write_text("<net")
    with triton.InferenceServerClient(watched(*EXPLICIT).server.address) as client:
        yield client


@pytest.fixture(scope="module")
def unchanging(
    serve_once: Callable[..., ServerProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[triton.InferenceServerClient]:
    """For those who change nothing of the files, and leave `m` as its files say."""
    root = tmp_path_factory.mktemp("unchanging")
    small_models.save(adding(1), root / "m/1")
    with triton.InferenceServerClient(serve_once("--model_repository", str(root), *EXPLICIT).address) as client:
        yield client


def index(client: triton.InferenceServerClient) -> dict[str, tuple[str, str]]:
    rows = client.get_model_repository_index(as_json=True)["models"]
    return {row["name"]: (row.get("state", ""), row.get("reason", "")) for row in rows}


def answer(client: triton.InferenceServerClient, name: str = "m", batch: int = 1) -> list[float]:
    data = np.zeros((batch, 2), np.float32)
    x = triton.InferInput("x", list(data.shape), "FP32")
    x.set_data_from_numpy(data)
    return client.infer(name, [x]).as_numpy("y")[:, 0].tolist()


def test_models_come_and_go_as_they_are_asked_for(client: triton.InferenceServerClient) -> None:
    assert index(client) == {"broken": ("", ""), "m": ("", ""), "other": ("", "")}
    assert not client.is_model_ready("m")
    client.load_model("m")
    assert client.is_model_ready("m")
    assert answer(client) == [1]
    assert index(client)["m"] == ("READY", "")
    client.unload_model("m")
    assert not client.is_model_ready("m")
    assert index(client)["m"][0] in {"UNLOADING", "UNAVAILABLE"}
    with pytest.raises(InferenceServerException, match=r"NOT_FOUND.*model 'm'"):
        answer(client)
    client.load_model("m")
    assert answer(client) == [1]
    client.unload_model("nope")


def test_a_changed_model_is_served_after_its_next_load(client: triton.InferenceServerClient, repository: Path) -> None:
    client.load_model("m")
    small_models.save(adding(5), repository / "m/1")
    client.load_model("other")
    assert (answer(client), answer(client, "other")) == ([1], [2])
    client.load_model("m")
    assert answer(client) == [5]


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("nope", "INTERNAL", "failed to load 'nope', failed to poll from model repository"),
        ("broken", "INVALID_ARGUMENT", "load failed for model 'broken': version 1 is at UNAVAILABLE state: "),
    ],
)
def test_a_load_that_fails_says_why(
    client: triton.InferenceServerClient, repository: Path, name: str, status: str, sentence: str
) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.load_model(name)
    assert refused.value.status() == f"StatusCode.{status}"
    assert refused.value.message().startswith(sentence)
    assert str(repository) not in refused.value.message()


def test_what_failed_is_forgotten_with_its_unload(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException):
        client.load_model("broken")
    assert index(client)["broken"][0] == "UNAVAILABLE"
    client.unload_model("broken")
    assert index(client)["broken"] == ("", "")


WRONG_CONFIG = "failed to load 'm', failed to poll from model repository: config.pbtxt: line 1, column 1: "


def test_a_wrong_configuration_is_told_to_who_loads(client: triton.InferenceServerClient, repository: Path) -> None:
    (repository / "m/config.pbtxt").write_text("nope: 3")
    with pytest.raises(InferenceServerException) as refused:
        client.load_model("m")
    assert refused.value.status() == "StatusCode.INTERNAL"
    assert refused.value.message().startswith(WRONG_CONFIG)
    assert index(client)["m"] == ("", "")


def test_a_load_with_a_configuration_that_has_become_wrong_changes_nothing(
    client: triton.InferenceServerClient, repository: Path
) -> None:
    client.load_model("m")
    (repository / "m/config.pbtxt").write_text("nope: 3")
    small_models.save(adding(5), repository / "m/1")
    with pytest.raises(InferenceServerException) as refused:
        client.load_model("m")
    assert refused.value.message().startswith(WRONG_CONFIG)
    assert answer(client) == [1]
    state, reason = index(client)["m"]
    assert state == "READY"
    assert reason.startswith("its configuration is refused, the one before is in force: config.pbtxt: line 1, ")
    (repository / "m/config.pbtxt").unlink()
    client.load_model("m")
    assert (answer(client), index(client)["m"]) == ([5], ("READY", ""))


def test_a_configuration_that_comes_with_the_request_is_in_force_until_the_next_load(
    client: triton.InferenceServerClient, repository: Path
) -> None:
    small_models.save(small_models.add_one([-1, 2]), repository / "free/1")
    client.load_model("free", config=json.dumps({"max_batch_size": 2}))
    assert client.get_model_config("free", as_json=True)["config"]["max_batch_size"] == 2
    assert answer(client, "free", batch=2) == [1, 1]
    with pytest.raises(InferenceServerException, match="Invalid input batch size"):
        answer(client, "free", batch=3)
    client.load_model("free")
    assert answer(client, "free", batch=3) == [1, 1, 1]


def test_files_that_come_with_the_request_are_served_and_those_of_the_repository_after_the_next_load(
    client: triton.InferenceServerClient, tmp_path: Path
) -> None:
    new = small_models.save(adding(9), tmp_path / "upload")
    files = {f"file:1/{path.name}": path.read_bytes() for path in new.iterdir()}
    client.load_model("m", config="{}", files=files)
    assert answer(client) == [9]
    client.load_model("fresh", config="{}", files=files)
    assert answer(client, "fresh") == [9]
    client.load_model("m")
    assert answer(client) == [1]
    client.unload_model("fresh")
    assert "fresh" not in {name for name, (state, _) in index(client).items() if state == "READY"}


@pytest.mark.parametrize(
    ("config", "files", "sentence"),
    [
        ("{", {}, "load of model 'm': config: "),
        ("[]", {}, "load of model 'm': config: "),
        ('{"nope": 1}', {}, "load of model 'm': config: "),
        ('{"max_batch_size": "x"}', {}, "load of model 'm': config: "),
        ('{"name": "other"}', {}, "load of model 'm': config names the model 'other'"),
        (
            '{"batch_input": [{"kind": "BATCH_ELEMENT_COUNT"}]}',
            {},
            "load of model 'm': config: batch_input is not supp",
        ),
        ("{}", {"file:../1/model.xml": b"x"}, "load of model 'm': file '../1/model.xml' is no path inside"),
        ("{}", {"file:/etc/model.xml": b"x"}, "load of model 'm': file '/etc/model.xml' is no path inside"),
        ("{}", {"file:1/model.py": b"x"}, "load of model 'm': file '1/model.py' is code, which only"),
        ("{}", {"file:1/model.xml": b"<net"}, "load failed for model 'm': version 1 is at UNAVAILABLE state: "),
        ("{}", {"file:readme": b"x"}, "load failed for model 'm': no version found"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_what_serves_goes_on(
    unchanging: triton.InferenceServerClient, config: str, files: dict[str, bytes], sentence: str
) -> None:
    unchanging.load_model("m")
    with pytest.raises(InferenceServerException) as refused:
        unchanging.load_model("m", config=config, files=files)
    assert refused.value.message().startswith(sentence)
    assert answer(unchanging) == [1]
    unchanging.load_model("m")
    assert answer(unchanging) == [1]


def test_models_to_load_at_the_start(watched: Start, repository: Path) -> None:
    for number, name in enumerate(("a", "b", "c")):
        small_models.save(adding(number), repository / f"{name}/1")
    one = watched(*EXPLICIT, "--load_model", "b", "--load_model", "c")
    assert [one.answer(name) for name in "abc"] == [None, 1, 2]
    assert [watched(*EXPLICIT, "--load_model", "*").answer(name) for name in "abc"] == [0, 1, 2]


def test_where_other_machines_can_ask_nothing_is_loaded_by_request_unless_allowed(
    watched: Start, repository: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    for arguments, allowed in (((), False), (("--allow_remote_management",), True)):
        one = watched(*EXPLICIT, "--grpc_bind_address", "0.0.0.0", *arguments)  # noqa: S104 - that is the point
        with triton.InferenceServerClient(one.server.address) as client:
            if allowed:
                client.load_model("m")
                assert answer(client) == [1]
                continue
            with pytest.raises(InferenceServerException, match=r"PERMISSION_DENIED.*--allow_remote_management"):
                client.load_model("m")
