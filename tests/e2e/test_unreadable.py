"""Files and folders that the server's user may not read, in a repository that changes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import small_models
from permissions import keep_out, let_in, mind_permissions
from server_process import ServerProcess
from watched import Watched, adding

FOLDER = "the folder cannot be read by the server's user: permission denied"


@pytest.fixture
def one(serve: Callable[..., ServerProcess], repository: Path) -> Iterator[Watched]:
    """A server that serves the model `sound` and minds permissions."""
    small_models.save(adding(1), repository / "sound/1")
    one = Watched(serve("--model_repository", str(repository), prepare=mind_permissions))
    yield one
    one.client.close()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("1/model.bin", ("1", "OpenVINO IR file 'model.xml' cannot be read: model.bin: Permission denied")),
        ("1", ("1", FOLDER)),
        (".", ("", FOLDER)),
    ],
    ids=["file", "version", "model"],
)
def test_a_model_dropped_in_that_may_not_be_read_says_so_until_it_may(
    one: Watched, repository: Path, tmp_path: Path, place: str, told: tuple[str, str]
) -> None:
    small_models.save(adding(2), tmp_path / "m/1")
    keep_out(tmp_path / "m" / place)
    (tmp_path / "m").rename(repository / "m")

    version, sentence = told

    def is_told() -> bool:
        state, reason = one.rows().get(version, ("", ""))
        return state in {"LOADING", "UNAVAILABLE"} and reason.endswith(sentence)

    one.wait(is_told, f"waiting for {sentence}")
    assert one.answer() is None
    assert one.answer("sound") == 1
    let_in(repository / "m" / place)
    one.wait_answer(2)


@pytest.mark.parametrize("place", ["1", "."], ids=["version", "model"])
def test_what_serves_goes_on_when_its_folder_may_not_be_read_any_more(
    one: Watched, repository: Path, place: str
) -> None:
    keep_out(repository / "sound" / place)
    one.wait_state("1", "READY", FOLDER, "sound")
    assert one.answer("sound") == 1
    let_in(repository / "sound" / place)
    one.wait(lambda: one.rows("sound") == {"1": ("READY", "")}, "waiting for the reason to be gone")
    shutil.rmtree(repository / "sound/1")
    small_models.save(adding(3), repository / "sound/1")
    one.wait_answer(3, "sound")
