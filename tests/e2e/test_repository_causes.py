"""What is said of a change under a running server: in the index, and to who asks for what is not served any more."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import small_models
from ovclient import NotFound
from server_process import ServerProcess
from watched import Watched, adding

TWICE = "model 'm' is found in more than one model repository"
LEADS_OUT = "is a link that leads out of the model repository, which only --allow_symlinks permits"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    folder = tmp_path / "second"
    folder.mkdir()
    return folder


@pytest.fixture
def one(serve: Callable[..., ServerProcess], repository: Path, second: Path) -> Iterator[Watched]:
    """A server of two repositories, the first of which has `m` in two versions."""
    for version in (1, 2):
        small_models.save(adding(version), repository / f"m/{version}")
    one = Watched(serve("--model_repository", str(repository), "--model_repository", str(second)))
    assert one.answer() == 2
    yield one
    one.client.close()


def refusal(one: Watched, version: str = "") -> str:
    with pytest.raises(NotFound) as refused:
        one.client.infer("m", np.zeros((1, 2), np.float32), version=version)
    return str(refused.value)


def test_a_name_that_comes_up_twice_is_served_from_neither_until_it_is_there_once(
    one: Watched, second: Path, tmp_path: Path
) -> None:
    small_models.save(adding(3), tmp_path / "new/1")
    (tmp_path / "new").rename(second / "m")
    one.wait_state("2", "UNAVAILABLE", f"unloaded; {TWICE}")
    assert TWICE in refusal(one)
    shutil.rmtree(second / "m")
    one.wait_answer(2)
    assert one.rows()["2"] == ("READY", "")


def test_a_model_removed_and_a_model_renamed_are_not_found(one: Watched, repository: Path) -> None:
    (repository / "m").rename(repository / "n")
    one.wait_answer(2, "n")
    one.wait(lambda: one.rows() == {}, "waiting for the old name to be gone")
    assert "model 'm' is not found" in refusal(one)


def test_a_version_removed_is_told_to_who_asks_for_it(one: Watched, repository: Path) -> None:
    shutil.rmtree(repository / "m/2")
    one.wait_state("2", "UNAVAILABLE", "unloaded")
    assert "model 'm' version 2 is not available: version 2: unloaded" in refusal(one, "2")
    assert one.answer() == 1


def test_a_version_that_is_a_link_to_outside_leaves_what_serves(one: Watched, repository: Path, tmp_path: Path) -> None:
    small_models.save(adding(3), tmp_path / "elsewhere")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    link.rename(repository / "m/3")
    one.wait_state("3", "UNAVAILABLE", f"'3' {LEADS_OUT}")
    assert one.answer() == 2


def test_a_file_that_is_a_link_to_outside_leaves_what_serves(one: Watched, repository: Path, tmp_path: Path) -> None:
    small_models.save(adding(3), tmp_path / "elsewhere")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere/model.bin")
    link.rename(repository / "m/2/model.bin")
    one.wait_state(
        "2",
        "READY",
        f"its files have changed and cannot be loaded, what was loaded before is served: 'model.bin' {LEADS_OUT}",
    )
    assert one.answer() == 2
