"""Loading and unloading by request: a real Triton with our plug-in, and ovserve in mode explicit."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from server_process import ServerProcess
from triton_server import TritonProcess
from watched import adding

WAIT_S = 60


@dataclass(frozen=True)
class Controlled:
    """A server in mode explicit, and its repository; each test has models of its own in it."""

    client: triton.InferenceServerClient
    root: Path

    def save(self, number: int, name: str, version: int = 1) -> Path:
        """Write `x` -> `y` = x + number."""
        return small_models.save(adding(number), self.root / name / str(version))

    def serve(self, number: int, name: str) -> None:
        """Have `x` -> `y` = x + number served, unless it is."""
        if not self.client.is_model_ready(name):
            self.save(number, name)
            self.client.load_model(name)

    def configure(self, name: str, text: str) -> Path:
        config = self.root / name / "config.pbtxt"
        config.parent.mkdir(exist_ok=True)
        config.write_text(text)
        return config

    def rows(self, name: str) -> dict[str, tuple[str, str]]:
        index = self.client.get_model_repository_index().models
        return {row.version: (row.state, row.reason) for row in index if row.name == name}

    def wait_rows(self, name: str, expected: dict[str, tuple[str, str]]) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while (found := self.rows(name)) != expected:
            assert time.monotonic() < deadline_s, found
            threading.Event().wait(0.01)

    def answer(self, name: str) -> float:
        x = triton.InferInput("x", [1, 2], "FP32")
        x.set_data_from_numpy(np.zeros((1, 2), np.float32))
        return float(self.client.infer(name, [x], client_timeout=WAIT_S).as_numpy("y")[0, 0])

    def refusal(self, name: str, **load: object) -> tuple[str, str]:
        """The code and the sentence with which a load is refused."""
        with pytest.raises(InferenceServerException) as refused:
            self.client.load_model(name, **load)
        return refused.value.status().removeprefix("StatusCode."), refused.value.message()


@pytest.fixture(scope="module", params=["triton", "ovserve"])
def controlled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controlled]:
    root = tmp_path_factory.mktemp("controlled")
    server: ServerProcess | TritonProcess
    if request.param == "triton":
        server = request.getfixturevalue("start")(root, "--model-control-mode explicit")
    else:
        server = ServerProcess("--model_repository", str(root), "--model_control_mode", "explicit")
    with triton.InferenceServerClient(server.address) as client:
        yield Controlled(client, root)
    if isinstance(server, ServerProcess):
        server.stop()


def config(**fields: object) -> str:
    return json.dumps({"backend": "openvino_py", **fields})


def test_what_nobody_asked_for_is_listed_by_its_name(controlled: Controlled) -> None:
    controlled.save(1, "idle")
    assert controlled.rows("idle") == {"": ("", "")}
    assert not controlled.client.is_model_ready("idle")
    with pytest.raises(InferenceServerException, match=r"NOT_FOUND.*'idle'"):
        controlled.answer("idle")


def test_a_model_comes_and_goes_as_it_is_asked_for(controlled: Controlled) -> None:
    controlled.save(1, "guest")
    for _ in range(2):
        controlled.client.load_model("guest")
        controlled.client.load_model("guest")
        assert (controlled.answer("guest"), controlled.rows("guest")) == (1, {"1": ("READY", "")})
        assert controlled.client.is_model_ready("guest", "1")
        assert not controlled.client.is_model_ready("guest", "2")
        controlled.client.unload_model("guest")
        assert not controlled.client.is_model_ready("guest")
        with pytest.raises(InferenceServerException, match=r"NOT_FOUND.*'guest'"):
            controlled.answer("guest")
        controlled.wait_rows("guest", {"1": ("UNAVAILABLE", "unloaded")})


@pytest.mark.parametrize("name", ["nobodys", "waiting"])
def test_to_unload_what_is_not_served_is_fine(controlled: Controlled, name: str) -> None:
    controlled.save(1, "waiting")
    controlled.client.unload_model(name)


NOT_POLLED = "failed to load '{}', failed to poll from model repository"


@pytest.mark.parametrize(
    ("name", "text", "code", "sentence"),
    [
        ("absent", None, "INTERNAL", NOT_POLLED),
        ("garbled", "nope: 3", "INTERNAL", NOT_POLLED),
        ("misnamed", 'name: "other"', "INTERNAL", NOT_POLLED),
        ("versionless", 'backend: "openvino_py"', "INVALID_ARGUMENT", "load failed for model '{}': "),
        ("broken", 'backend: "openvino_py"', "INVALID_ARGUMENT", "load failed for model '{}': version 1 is at "),
        (
            "extended",
            'backend: "openvino_py" parameters { key: "CPU_EXTENSION_PATH" value { string_value: "x.so" } }',
            "INVALID_ARGUMENT",
            "load failed for model '{}': ",
        ),
        (
            "shapeless",
            'backend: "openvino_py" parameters { key: "shape" value { string_value: "(" } }',
            "INVALID_ARGUMENT",
            "load failed for model '{}': ",
        ),
    ],
)
def test_a_load_that_fails_has_tritons_code(
    controlled: Controlled, name: str, text: str | None, code: str, sentence: str
) -> None:
    if text is not None:
        controlled.configure(name, text)
    if name not in ("absent", "versionless"):
        folder = controlled.save(1, name)
    if name == "broken":
        (folder / "model.xml").write_text("<net")
    found, said = controlled.refusal(name)
    assert (found, said[: len(name) + len(sentence) - 2]) == (code, sentence.format(name))
    assert not controlled.client.is_model_ready(name)


def test_a_version_that_failed_has_its_reason_in_the_index(controlled: Controlled) -> None:
    (controlled.save(1, "cracked") / "model.xml").write_text("<net")
    _, said = controlled.refusal("cracked")
    assert "not well-formed XML" in said
    ((state, reason),) = controlled.rows("cracked").values()
    assert state == "UNAVAILABLE"
    assert "not well-formed XML" in reason


def test_a_changed_model_is_served_after_its_next_load(controlled: Controlled) -> None:
    controlled.save(1, "growing")
    controlled.client.load_model("growing")
    controlled.save(2, "growing")
    assert controlled.answer("growing") == 1
    controlled.client.load_model("growing")
    assert controlled.answer("growing") == 2
    controlled.save(3, "growing", version=2)
    controlled.client.load_model("growing")
    assert controlled.answer("growing") == 3
    assert not controlled.client.is_model_ready("growing", "1")
    controlled.wait_rows("growing", {"1": ("UNAVAILABLE", "unloaded"), "2": ("READY", "")})


def replaced_badly(controlled: Controlled, name: str) -> None:
    (controlled.root / name / "1/model.xml").write_text("<net")


def misconfigured(controlled: Controlled, name: str) -> None:
    controlled.configure(name, "nope: 3")


def taken_away(controlled: Controlled, name: str) -> None:
    shutil.rmtree(controlled.root / name)


@pytest.mark.parametrize(
    ("harm", "code"),
    [(replaced_badly, "INVALID_ARGUMENT"), (misconfigured, "INTERNAL"), (taken_away, "INTERNAL")],
)
def test_a_load_that_fails_leaves_what_serves_serving(
    controlled: Controlled, harm: Callable[[Controlled, str], None], code: str
) -> None:
    name = harm.__name__
    controlled.save(1, name)
    controlled.client.load_model(name)
    harm(controlled, name)
    assert controlled.refusal(name)[0] == code
    assert controlled.answer(name) == 1
    (controlled.root / name / "config.pbtxt").unlink(missing_ok=True)
    controlled.save(2, name)
    controlled.client.load_model(name)
    assert (controlled.answer(name), controlled.rows(name)) == (2, {"1": ("READY", "")})


def most(controlled: Controlled, name: str) -> int:
    return int(controlled.client.get_model_config(name).config.max_batch_size)


def test_a_configuration_that_comes_with_the_load_is_in_force(controlled: Controlled) -> None:
    small_models.save(small_models.add_one([-1, 2]), controlled.root / "free/1")
    controlled.client.load_model("free", config=config(max_batch_size=2))
    assert (most(controlled, "free"), controlled.answer("free")) == (2, 1)
    controlled.client.unload_model("free")
    controlled.client.load_model("free")
    assert (most(controlled, "free"), controlled.answer("free")) == (0, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "INTERNAL"),
        ("[]", "INTERNAL"),
        ('{"nope": 1}', "INTERNAL"),
        (config(max_batch_size="x"), "INTERNAL"),
        (config(name="other"), "INTERNAL"),
        (config(parameters={"CPU_EXTENSION_PATH": {"string_value": "x.so"}}), "INVALID_ARGUMENT"),
        (config(parameters={"shape": {"string_value": "("}}), "INVALID_ARGUMENT"),
        (config(max_batch_size=2, input=[{"name": "z", "data_type": "TYPE_FP32", "dims": [2]}]), "INVALID_ARGUMENT"),
    ],
)
def test_a_wrong_configuration_that_comes_with_the_load_changes_nothing(
    controlled: Controlled, text: str, code: str
) -> None:
    controlled.serve(1, "steady")
    found, said = controlled.refusal("steady", config=text)
    assert (found, "'steady'" in said) == (code, True)
    assert controlled.answer("steady") == 1
    controlled.client.load_model("steady")
    assert (controlled.answer("steady"), controlled.rows("steady")) == (1, {"1": ("READY", "")})


def files(tmp_path: Path, number: int, version: int) -> dict[str, bytes]:
    folder = small_models.save(adding(number), tmp_path / "upload")
    return {f"file:{version}/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_files_that_come_with_the_load_are_served_until_the_next(controlled: Controlled, tmp_path: Path) -> None:
    controlled.save(1, "visited")
    controlled.client.load_model("visited", config=config(), files=files(tmp_path, 9, 4))
    assert controlled.answer("visited") == 9
    assert list(controlled.client.get_model_metadata("visited").versions) == ["4"]
    controlled.client.load_model("visited")
    assert controlled.answer("visited") == 1
    assert list(controlled.client.get_model_metadata("visited").versions) == ["1"]


def test_a_model_that_is_all_uploaded_is_gone_after_its_unload(controlled: Controlled, tmp_path: Path) -> None:
    controlled.client.load_model("visitor", config=config(), files=files(tmp_path, 9, 4))
    assert controlled.answer("visitor") == 9
    controlled.client.unload_model("visitor")
    assert not controlled.client.is_model_ready("visitor")
    assert controlled.refusal("visitor") == ("INTERNAL", NOT_POLLED.format("visitor"))


@pytest.mark.parametrize(
    ("load", "code"),
    [
        ({"files": {"file:1/model.xml": b"x"}}, "INTERNAL"),
        ({"config": config(), "files": {"file:3/model.xml": b"<net"}}, "INVALID_ARGUMENT"),
        ({"config": config(), "files": {"file:readme": b"x"}}, "INVALID_ARGUMENT"),
    ],
    ids=["no configuration", "broken", "no version"],
)
def test_files_that_cannot_be_served_change_nothing(controlled: Controlled, load: dict[str, object], code: str) -> None:
    controlled.serve(1, "firm")
    assert controlled.refusal("firm", **load)[0] == code
    assert controlled.answer("firm") == 1
    controlled.client.load_model("firm")
    assert controlled.answer("firm") == 1


@pytest.mark.parametrize("path", ["../other/1/model.xml", "1/../../model.xml", "/1/model.xml"])
def test_files_do_not_leave_the_folder(controlled: Controlled, path: str) -> None:
    controlled.serve(1, "fenced")
    code, _ = controlled.refusal("fenced", config=config(), files={f"file:{path}": b"<net"})
    assert code in {"INTERNAL", "INVALID_ARGUMENT"}  # of the last, Triton makes a path inside
    assert controlled.answer("fenced") == 1
