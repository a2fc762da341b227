"""Reloading by request: everything is looked at now, and who asked learns what came of it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed, PlaceMissing, ReloadFailed, VersionsFailed
from ovserve.repository.config_file import ConfigFile
from ovserve.repository.source import Repositories, SingleModel, Source
from ovserve.serving.following import Following
from ovserve.serving.reconciler import Reconciler
from ovserve.serving.registry import Registry, State
from served import Served

YEARS_AHEAD_S = 4e9  # so that every file is old


def load(config: ModelConfig, version: int, place: Path) -> Served:
    if (place / "model.onnx").read_text() == "bad":
        raise LoadFailed("it is bad", place)
    return Served()


class House:
    """A reconciler that looks only when it is asked, as in mode none."""

    def __init__(self, source: Source) -> None:
        self.registry = Registry()
        self._now_s = YEARS_AHEAD_S
        self.reconciler = Reconciler(source, load, self.registry, retries=False, clock=lambda: self._now_s)
        self.reconciler.pass_once()

    def states(self, name: str = "m") -> dict[int, State]:
        return {number: status.state for number, status in self.registry.entries[name].versions.items()}


def write(root: Path, text: str = "good", version: int = 1, name: str = "m") -> Path:
    folder = root / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_text(text)
    return folder


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., House]]:
    followed: list[Following] = []

    def start(source: Source | None = None) -> House:
        house = House(source or repositories(tmp_path))
        followed.append(Following(house.reconciler, lambda: [tmp_path], "none", 0))
        followed[-1].__enter__()
        return house

    yield start
    for one in followed:
        one.__exit__(None, None, None)


def repositories(root: Path) -> Repositories:
    return Repositories([root], lambda name, path: ModelConfig(name=name, base_path=path), allow_symlinks=False)


def test_nothing_new_is_no_reload(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow()
    assert house.reconciler.asked.reload() is False
    assert house.states() == {1: State.AVAILABLE}


def test_a_new_version_is_served_when_the_answer_comes(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow()
    write(tmp_path, version=2)
    assert house.reconciler.asked.reload() is True
    assert house.states()[2] is State.AVAILABLE
    assert house.reconciler.asked.reload() is False


def test_a_version_that_went_is_a_reload(tmp_path: Path, follow: Callable[..., House]) -> None:
    folder = write(tmp_path)
    house = follow()
    (folder / "model.onnx").unlink()
    folder.rmdir()
    folder.parent.rmdir()
    assert house.reconciler.asked.reload() is True
    assert house.registry.entries["m"].available == {}


def test_changed_files_are_a_reload(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow()
    write(tmp_path, "better still")
    assert house.reconciler.asked.reload() is True


def test_what_failed_is_tried_again_each_time_and_told(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow()
    folder = write(tmp_path, "bad", version=2)
    for _ in range(2):
        with pytest.raises(VersionsFailed, match="m version 2: it is bad"):
            house.reconciler.asked.reload()
        assert house.states()[1] is State.AVAILABLE
    (folder / "model.onnx").write_text("good again")
    assert house.reconciler.asked.reload() is True
    assert house.states()[2] is State.AVAILABLE


def test_a_folder_without_versions_lacks_nothing(tmp_path: Path, follow: Callable[..., House]) -> None:
    (tmp_path / "empty").mkdir()
    house = follow()
    assert house.reconciler.asked.reload() is False
    assert dict(house.registry.entries["empty"].versions) == {}


def test_a_model_whose_place_is_missing_is_told(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow(SingleModel(ModelConfig(name="m", base_path=tmp_path / "m"), allow_symlinks=False))
    (tmp_path / "m").rename(tmp_path / "elsewhere")
    with pytest.raises(PlaceMissing, match="the folder does not exist"):
        house.reconciler.asked.reload()


CONFIG = '{"model_config_list": [{"config": {"name": "m", "base_path": "m"}}]}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, "ConfigMissing"),
        ("{", "ConfigRefused"),
        ('{"model_config_list": [], "else": 1}', "ConfigRefused"),
        (CONFIG.replace('"m"}', '"m", "shape": "x"}'), "EntryRefused"),
        (CONFIG.replace('"base_path": "m"', '"base_path": "nowhere"'), "PlaceMissing"),
    ],
)
def test_a_configuration_that_became_wrong_is_told_by_kind(
    tmp_path: Path, follow: Callable[..., House], text: str | None, kind: str
) -> None:
    write(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(CONFIG)
    house = follow(ConfigFile(file, allow_symlinks=True))
    file.unlink()
    if text is not None:
        file.write_text(text)
    for _ in range(2):
        with pytest.raises(ReloadFailed) as caught:
            house.reconciler.asked.reload()
        assert type(caught.value).__name__ == kind
    file.write_text(CONFIG)
    house.reconciler.asked.reload()
    assert house.states()[1] is State.AVAILABLE


def test_two_may_ask_at_once(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow()
    write(tmp_path, version=2)
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(house.reconciler.asked.reload())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert True in answers


def test_mode_none_looks_only_when_asked(tmp_path: Path, follow: Callable[..., House]) -> None:
    write(tmp_path)
    house = follow()
    house.reconciler.asked.reload()
    write(tmp_path, version=2)
    assert 2 not in house.states()
    assert house.reconciler.asked.reload() is True
