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
from ovclient import Client, NotFound, OVClientError
from server_process import ServerProcess
from watched import Watched, adding

Serve = Callable[..., ServerProcess]

# A person copies slowly; .ci/run need not. The figure of the issue is 3.
PAUSE_S = float(os.environ.get("OVSERVE_TEST_COPY_PAUSE_S", "0"))


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


def test_a_model_that_is_being_copied_is_never_served_half(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    new = small_models.save(adding(7, 1_000_000), tmp_path / "new/1")
    one = watched()
    folder = repository / "m/1"
    folder.mkdir(parents=True)
    shutil.copy(new / "model.xml", folder)
    one.wait_state("1", "LOADING", "not complete yet: model.xml needs model.bin beside it")
    pause(one)
    weights = (new / "model.bin").read_bytes()
    with (folder / "model.bin").open("wb") as file:
        file.write(weights[: len(weights) // 2])
        file.flush()
        one.wait_state("1", "LOADING", "not complete yet: OpenVINO IR file 'model.xml' cannot be read")
        pause(one)
        file.write(weights[len(weights) // 2 :])
    started_s = time.monotonic()
    one.wait_answer(7)
    print(f"served {time.monotonic() - started_s:.2f} s after the last byte")
    assert one.server.stop() == 0
    assert " [error" not in one.server.log


def pause(one: Watched) -> None:
    """Look, for as long as the pause takes, whether what is not there is served."""
    end_s = time.monotonic() + PAUSE_S
    while time.monotonic() < end_s:
        assert one.answer() is None


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


def test_killed_while_copying_it_comes_up_with_what_is_complete(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    new = small_models.save(adding(2, 1_000_000), tmp_path / "2")
    one = watched()
    (repository / "m/2").mkdir()
    shutil.copy(new / "model.xml", repository / "m/2")
    (repository / "m/2/model.bin").write_bytes((new / "model.bin").read_bytes()[:1000])
    one.wait_state("2", "LOADING", "not complete yet")
    one.server.process.send_signal(signal.SIGKILL)
    one.server.process.wait(10)
    again = watched()
    assert again.answer() == 1
    shutil.copy(new / "model.bin", repository / "m/2")
    again.wait_answer(2)


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


@pytest.mark.parametrize("harm", ["copy over", "truncate", "remove"])
def test_a_live_model_does_not_follow_its_files(
    watched: Callable[..., Watched], repository: Path, tmp_path: Path, harm: str
) -> None:
    """Under load the weights are harmed: the process lives, and every answer is that of one whole version."""
    folder = small_models.save(adding(1, 1_000_000), repository / "m/1")
    small_models.save(adding(2, 1_000_000), tmp_path / "other")
    one = watched("--shape", "auto")
    harmed = threading.Event()

    def ask() -> set[float]:
        """Ask with one shape before and another one after, which is compiled then."""
        found = set()
        with Client(one.server.address) as client:
            for batch in (1, 3):
                for _ in range(10_000):
                    try:
                        answer = client.infer("m", np.zeros((batch, 1_000_000), np.float32))["y"]
                    except NotFound:  # as it may when its folder is gone
                        return found
                    found |= set(np.unique(answer).tolist())
                    if harmed.is_set():
                        break
        return found

    with ThreadPoolExecutor(2) as threads:
        clients = [threads.submit(ask) for _ in range(2)]
        try:
            if harm == "copy over":
                shutil.copy(tmp_path / "other/model.bin", folder / "model.bin")
                one.wait_answer(2)
            elif harm == "truncate":
                os.truncate(folder / "model.bin", 0)
                one.wait_state("1", "READY", "its files have changed and cannot be loaded")
            else:
                shutil.rmtree(folder)
                one.wait_state("1", "UNAVAILABLE", "unloaded")
        finally:
            harmed.set()
        found = set().union(*(client.result(60) for client in clients))
    assert found == {"copy over": {1.0, 2.0}, "truncate": {1.0}, "remove": {1.0}}[harm]
    assert one.server.process.poll() is None


def test_sighup_has_the_server_look(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched("--model_control_mode", "poll", "--file_system_poll_wait_seconds", "1000")
    small_models.save(adding(1), repository / "m/1")
    assert one.answer() is None
    one.server.process.send_signal(signal.SIGHUP)
    one.wait_answer(1)
