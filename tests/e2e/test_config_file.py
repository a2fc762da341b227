"""A server that is started from OVMS's config.json."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import ovserve
import small_models
from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.errors import CannotStart, NotFound
from server_process import ServerProcess, run_ovserve
from settled import settle
from wire_server import Wire, request


def write(folder: Path, *configs: dict[str, Any], **others: Any) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps({"model_config_list": [{"config": config} for config in configs], **others}))
    return file


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two models of three versions each."""
    for name in ("a", "b"):
        for version in (1, 2, 10):
            small_models.save(small_models.add_one([1, 2]), tmp_path / name / str(version))
    return tmp_path


def states(loaded: ovserve.InProcess) -> list[tuple[str, int | None, str]]:
    return [(row.name, row.version, row.state) for row in loaded._core.control.index()]


def test_the_models_listed_are_served_each_with_its_settings(models: Path) -> None:
    file = write(
        models,
        {"name": "first", "base_path": "a", "shape": "(3,2)"},
        {"name": "second", "base_path": str(models / "b"), "model_version_policy": {"latest": {"num_versions": 2}}},
    )
    with ovserve.load(config_path=file) as loaded:
        assert states(loaded) == [("first", 10, "READY"), ("second", 2, "READY"), ("second", 10, "READY")]
        assert loaded.metadata("first").inputs[0].wire_shape == [3, 2]
        assert loaded.metadata("second").inputs[0].wire_shape == [1, 2]


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ({"all": {}}, [1, 2, 10]),
        ({"specific": {"versions": [1, 10, 11]}}, [1, 10]),
        ({"latest": {"num_versions": 1}}, [10]),
    ],
)
def test_the_version_policy_decides_by_flag_too(models: Path, policy: dict[str, Any], versions: list[int]) -> None:
    with ovserve.load(model_name="a", model_path=models / "a", model_version_policy=policy) as loaded:
        assert states(loaded) == [("a", version, "READY") for version in versions]


def test_a_version_that_fails_makes_room_for_the_next(models: Path) -> None:
    (models / "a/10/model.bin").unlink()
    with ovserve.load(
        model_name="a", model_path=models / "a", model_version_policy={"latest": {"num_versions": 2}}
    ) as loaded:
        assert states(loaded) == [("a", 1, "READY"), ("a", 2, "READY"), ("a", 10, "UNAVAILABLE")]


def test_a_policy_that_selects_nothing_is_told(models: Path) -> None:
    policy = {"specific": {"versions": [3]}}
    with pytest.raises(CannotStart, match="a: model_version_policy selects none of the versions found"):
        ovserve.load(model_name="a", model_path=models / "a", model_version_policy=policy)


def test_a_wrong_entry_leaves_the_others_serving_and_says_why(models: Path) -> None:
    write(models, {"name": "good", "base_path": "a"}, {"name": "wrong", "base_path": "b", "shape": "3"})
    with ovserve.load(config_path=models) as loaded:
        assert states(loaded) == [("good", 10, "READY"), ("wrong", None, "UNAVAILABLE")]
        with pytest.raises(NotFound) as refusal:
            loaded.infer("wrong", [[1, 2]])
    assert str(refusal.value).startswith(
        "model 'wrong' is not available: config.json: model_config_list[1].config.shape: '3' is not a shape: "
    )


def test_the_server_serves_them(serve: Callable[..., ServerProcess], models: Path) -> None:
    write(
        models, {"name": "m", "base_path": "a"}, {"name": "m", "base_path": "b"}, mediapipe_config_list=[{"name": "g"}]
    )
    server = serve("--config_path", str(models))
    wire = Wire(server.address)
    assert wire.infer(request("m", {"x": np.zeros((1, 2), np.float32)})).outputs["y"].tolist() == [[1, 1]]
    wire.close()
    server.stop()
    assert "mediapipe_config_list has no effect here" in server.log
    assert "the name 'm' is taken by a model further up" in server.log


def test_a_file_that_lists_nothing_has_nothing_to_serve(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="lists no model"):
        ovserve.load(config_path=write(tmp_path))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "config.json: it is not JSON: line 1, column 2: "),
        ('{"model_config_list": [], "x": 1}', "config.json: x: is not known here"),
        (None, "config.json: the file does not exist"),
    ],
)
def test_a_wrong_file_stops_the_start(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    ended = run_ovserve("--config_path", str(tmp_path / "config.json"), "--port", "auto")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert sentence in ended.stderr


# The file changes


@pytest.fixture
def core(models: Path) -> Core:
    """Two models listed and served."""
    write(models, {"name": "a", "base_path": "a"}, {"name": "b", "base_path": "b"})
    made = compose(Settings(config_path=models))
    made.load()
    return made


def test_entries_come_and_go_and_change(core: Core, models: Path) -> None:
    write(models, {"name": "b", "base_path": "b", "model_version_policy": {"all": {}}}, {"name": "c", "base_path": "a"})
    assert settle(core) == {"b": [10, 2, 1], "c": [10]}


def test_an_entry_that_becomes_wrong_leaves_its_model_as_it_was(core: Core, models: Path) -> None:
    served = core.registry.find("a")
    write(models, {"name": "a", "base_path": "a", "shape": "x"}, {"name": "b", "base_path": "b", "shape": "(3,2)"})
    assert settle(core) == {"a": [10], "b": [10]}
    assert core.registry.find("a") is served
    assert core.registry.find("b").metadata.inputs[0].wire_shape == [3, 2]
    write(models, {"name": "a", "base_path": "a", "shape": "(4,2)"})
    assert settle(core) == {"a": [10]}
    assert core.registry.find("a").metadata.inputs[0].wire_shape == [4, 2]


@pytest.mark.parametrize("text", ["{", '{"model_config_list": [{"config": {"name": "c"}}], "x": 1}', None])
def test_a_file_that_becomes_wrong_changes_nothing_until_it_is_right_again(
    core: Core, models: Path, text: str | None
) -> None:
    file = models / "config.json"
    served = core.registry.find("a")
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert settle(core) == {"a": [10], "b": [10]}
    assert core.registry.find("a") is served
    write(models, {"name": "a", "base_path": "a"})
    assert settle(core) == {"a": [10]}


def test_a_list_that_becomes_empty_serves_nothing_any_more(core: Core, models: Path) -> None:
    write(models)
    assert settle(core) == {}


def test_the_folders_of_the_file_and_of_the_models_are_watched(tmp_path: Path, models: Path) -> None:
    listing = tmp_path / "listing"
    listing.mkdir()
    write(listing, {"name": "a", "base_path": str(models / "a")})
    core = compose(Settings(config_path=listing))
    core.load()
    assert list(core.source.paths) == sorted([listing, models / "a"])


def test_a_running_server_follows_the_file(serve: Callable[..., ServerProcess], models: Path) -> None:
    write(models, {"name": "a", "base_path": "a"})
    server = serve("--config_path", str(models))
    write(models, {"name": "b", "base_path": "b"})
    wire = Wire(server.address)
    deadline_s = time.monotonic() + 30
    while (answered := wire.infer(request("b", {"x": np.zeros((1, 2), np.float32)}))).code is not grpc.StatusCode.OK:
        assert time.monotonic() < deadline_s, answered.details
        threading.Event().wait(0.05)
    wire.close()
