"""Files that are copied into the repository of a running server, slowly, and that are harmed while they are served."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import foreign_models
import small_models
from ovclient import Client, NotFound
from watched import Watched, adding

Start = Callable[..., Watched]

# A person copies slowly; .ci/run need not. The figure of the issue is 3.
PAUSE_S = float(os.environ.get("OVSERVE_TEST_COPY_PAUSE_S", "0"))
LENGTH = 1_000_000


@dataclass(frozen=True)
class Format:
    """A model in two files, and what is said while the second is missing, and while it is cut."""

    model: str
    weights: str
    missing: str
    cut: str

    def save(self, number: float, folder: Path) -> Path:
        """Write `x` -> `y` = x + number, with 4 MB of weights."""
        if self.model.endswith(".xml"):
            return small_models.save(adding(number, LENGTH), folder)
        return foreign_models.onnx_with_data(folder / self.model, np.full(LENGTH, number)).parent


IR = Format(
    "model.xml",
    "model.bin",
    "model.xml needs model.bin beside it",
    "OpenVINO IR file 'model.xml' cannot be read",
)
ONNX = Format(
    "model.onnx",
    "model.onnx.data",
    "ONNX file 'model.onnx' cannot be read: its data file 'model.onnx.data' is missing",
    "ONNX file 'model.onnx' cannot be read: its data file 'model.onnx.data' is missing, may not be read or is too short",
)

both = pytest.mark.parametrize("kind", [IR, ONNX], ids=["ir", "onnx"])


@both
def test_a_model_that_is_being_copied_is_never_served_half(
    watched: Start, repository: Path, tmp_path: Path, kind: Format
) -> None:
    new = kind.save(7, tmp_path / "new/1")
    one = watched()
    folder = repository / "m/1"
    folder.mkdir(parents=True)
    shutil.copy(new / kind.model, folder)
    one.wait_state("1", "LOADING", f"not complete yet: {kind.missing}")
    pause(one)
    weights = (new / kind.weights).read_bytes()
    with (folder / kind.weights).open("wb") as file:
        file.write(weights[: len(weights) // 2])
        file.flush()
        one.wait_state("1", "LOADING", f"not complete yet: {kind.cut}")
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


def test_killed_while_copying_it_comes_up_with_what_is_complete(
    watched: Start, repository: Path, tmp_path: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    new = IR.save(2, tmp_path / "2")
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


@both
@pytest.mark.parametrize("harm", ["copy over", "truncate", "remove"])
def test_a_live_model_does_not_follow_its_files(
    watched: Start, repository: Path, tmp_path: Path, kind: Format, harm: str
) -> None:
    """Under load the weights are harmed: the process lives, and every answer is that of one whole version."""
    folder = kind.save(1, repository / "m/1")
    kind.save(2, tmp_path / "other")
    one = watched("--shape", "auto")
    begun = threading.Barrier(3, timeout=60)
    harmed = threading.Event()

    def ask() -> set[float]:
        """Ask with one shape before and another one after, which is compiled then."""
        found = set()
        with Client(one.server.address) as client:
            for batch in (1, 3):
                for count in range(10_000):
                    try:
                        answer = client.infer("m", np.zeros((batch, LENGTH), np.float32))["y"]
                    except NotFound:  # as it may when its folder is gone
                        return found
                    found |= set(np.unique(answer).tolist())
                    if (batch, count) == (1, 0):
                        begun.wait()
                    if harmed.is_set():
                        break
        return found

    with ThreadPoolExecutor(2) as threads:
        clients = [threads.submit(ask) for _ in range(2)]
        begun.wait()
        try:
            if harm == "copy over":
                shutil.copy(tmp_path / "other" / kind.weights, folder / kind.weights)
                one.wait_answer(2)
            elif harm == "truncate":
                os.truncate(folder / kind.weights, 0)
                one.wait_state("1", "READY", "its files have changed and cannot be loaded")
            else:
                shutil.rmtree(folder)
                one.wait_state("1", "UNAVAILABLE", "unloaded")
        finally:
            harmed.set()
        found = set().union(*(client.result(60) for client in clients))
    assert found == {"copy over": {1.0, 2.0}, "truncate": {1.0}, "remove": {1.0}}[harm]
    assert one.server.process.poll() is None
