"""A repository that changes under a running server."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import small_models
from ovclient import Client, OVClientError
from server_process import ServerProcess
from watched import Watched, adding

Serve = Callable[..., ServerProcess]

MODES = [("--model_control_mode", "watch"), ("--model_control_mode", "poll", "--file_system_poll_wait_seconds", "0.2")]


@pytest.mark.parametrize("mode", MODES, ids=["watch", "poll"])
def test_a_model_dropped_in_is_served_and_one_taken_away_is_not(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    one = watched(*mode)
    assert "no model can be served yet" in one.server.log
    small_models.save(adding(1), tmp_path / "new/1")
    started_s = time.monotonic()
    shutil.copytree(tmp_path / "new", repository / "m")
    one.wait_answer(1)
    print(f"served {time.monotonic() - started_s:.2f} s after it was copied")
    shutil.rmtree(repository / "m")
    one.wait(lambda: one.rows() == {}, "waiting for the model to be gone")
    with pytest.raises(OVClientError, match="model 'm' is not found"):
        one.client.infer("m", np.zeros((1, 2), np.float32))
    shutil.copytree(tmp_path / "new", repository / "m")
    one.wait_answer(1)


def test_a_broken_replacement_leaves_what_serves_serving(watched: Callable[..., Watched], repository: Path) -> None:
    folder = small_models.save(adding(1), repository / "m/1")
    one = watched()
    assert one.answer() == 1
    (folder / "model.xml").write_text("<net")
    one.wait_state("1", "READY", "its files have changed and cannot be loaded, what was loaded before is served: ")
    assert "not well-formed XML" in one.rows()["1"][1]
    assert one.answer() == 1
    small_models.save(adding(2), folder)
    one.wait_answer(2)
    one.wait_state("1", "READY")
    assert one.rows()["1"] == ("READY", "")


def test_a_new_version_takes_over_and_a_removed_one_gives_way(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    small_models.save(adding(2), tmp_path / "2")
    shutil.move(tmp_path / "2", repository / "m/2")
    one.wait_answer(2)
    one.wait_state("1", "UNAVAILABLE", "unloaded")
    shutil.rmtree(repository / "m/2")
    one.wait_answer(1)
    one.wait_state("2", "UNAVAILABLE", "unloaded")


def test_a_version_that_fails_leaves_the_one_before_serving(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    (repository / "m/2").mkdir()
    (repository / "m/2/model.xml").write_text("<net")
    one.wait_state("2", "LOADING", "not complete yet")
    assert one.answer() == 1
    shutil.rmtree(repository / "m/2")
    one.wait(lambda: "2" not in one.rows(), "waiting for the failed version to be forgotten")
    assert one.answer() == 1


def test_a_renamed_model_goes_by_its_new_name(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    (repository / "m").rename(repository / "n")
    one.wait_answer(1, "n")
    one.wait(lambda: one.rows() == {}, "waiting for the old name to be gone")


def test_the_repository_itself_may_be_swapped(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    small_models.save(adding(2), tmp_path / "other/m/1")
    repository.rename(tmp_path / "old")
    (tmp_path / "other").rename(repository)
    one.wait_answer(2)


def test_a_repository_that_is_gone_for_a_while_changes_nothing(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    repository.rename(tmp_path / "away")
    one.wait(lambda: "the folder does not exist" in one.server.log, "waiting for the warning")
    assert one.answer() == 1
    (tmp_path / "away").rename(repository)
    small_models.save(adding(2), repository / "m/2")
    one.wait_answer(2)


def test_a_link_to_outside_is_refused_unless_allowed(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    small_models.save(adding(3), tmp_path / "elsewhere/1")
    (repository / "m").symlink_to(tmp_path / "elsewhere")
    small_models.save(adding(1), repository / "other/1")
    one = watched()
    assert one.rows() == {
        "": (
            "UNAVAILABLE",
            "'m' is a link that leads out of the model repository, which only --allow_symlinks permits",
        )
    }
    assert one.answer("other") == 1
    assert watched("--allow_symlinks").answer() == 3


def test_the_same_name_in_two_repositories_is_served_from_neither(
    serve: Serve, repository: Path, tmp_path: Path
) -> None:
    for folder in (repository, tmp_path / "second"):
        small_models.save(adding(1), folder / "m/1")
    small_models.save(adding(4), tmp_path / "second/own/1")
    arguments = ("--model_repository", str(repository), "--model_repository", str(tmp_path / "second"))
    one = Watched(serve(*arguments))
    assert one.answer("own") == 4
    assert one.rows() == {"": ("UNAVAILABLE", "model 'm' is found in more than one model repository")}
    shutil.rmtree(tmp_path / "second/m")
    one.wait_answer(1)
    one.client.close()


def test_mode_none_notices_nothing(watched: Callable[..., Watched], repository: Path) -> None:
    folder = small_models.save(adding(1), repository / "m/1")
    one = watched("--model_control_mode", "none")
    small_models.save(adding(2), folder)
    small_models.save(adding(3), repository / "m/2")
    for _ in range(200):
        assert one.answer() == 1


def test_versions_are_swapped_under_load_without_a_lost_request(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    """Each answer must be that of the version it names, and none may fail."""
    swaps = int(os.environ.get("OVSERVE_TEST_SWAPS", "5"))
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    stop = threading.Event()
    counts: dict[int, int] = {}

    def ask() -> None:
        with Client(one.server.address) as client:
            while not stop.is_set():
                result = client.infer("m", np.zeros((1, 2), np.float32))
                assert result["y"].tolist() == [[int(result.version)] * 2]
                counts[int(result.version)] = counts.get(int(result.version), 0) + 1

    resident_kb = []
    with ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(ask) for _ in range(4)]
        try:
            for version in range(2, swaps + 2):
                small_models.save(adding(version), tmp_path / str(version))
                (tmp_path / str(version)).rename(repository / "m" / str(version))
                shutil.rmtree(repository / "m" / str(version - 1))
                one.wait(lambda version=version: counts.get(version, 0) >= 200 or any(c.done() for c in clients))
                resident_kb.append(one.server.resident_kb())
        finally:
            stop.set()
        for client in clients:
            client.result(60)
    assert sorted(counts) == list(range(1, swaps + 2))
    print(f"{sum(counts.values())} answers over {swaps} swaps, none failed, resident {resident_kb[4:]} KB")


def test_sighup_has_the_server_look(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched("--model_control_mode", "poll", "--file_system_poll_wait_seconds", "1000")
    small_models.save(adding(1), repository / "m/1")
    assert one.answer() is None
    one.server.process.send_signal(signal.SIGHUP)
    one.wait_answer(1)
