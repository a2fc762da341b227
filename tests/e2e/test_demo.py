"""`ovserve demo` judges what it shows."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tritonclient.grpc as triton

from ovserve import demo


def run_demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ovserve", "demo", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_serves_asks_and_judges_our_own_models(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--output_dir", "pictures")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Classification accuracy: 100.00" in lines
    assert [f"{name}: 1 face" in lines for name in demo.FACES] == [True] * 3
    assert f"The pictures with their boxes lie in {tmp_path / 'pictures'}" in lines
    assert len(list((tmp_path / "pictures").glob("*.jpg"))) == 3
    assert lines[-1] == "All answers are right."


def test_a_wrong_answer_is_told_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(demo.FACES, "camera.jpg", 2)
    assert demo.run(tmp_path, keep=False) == 1
    shown = capfd.readouterr()
    assert "ovserve demo: camera.jpg was expected to show 2" in shown.err
    assert shown.out.endswith("Some answers are wrong.\n")


def test_a_folder_that_cannot_be_made_fails(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    done = run_demo(tmp_path, "--output_dir", "taken")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_keep_goes_on_serving_until_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ovserve", "demo", "--keep"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    line = next(line for line in process.stdout if line.startswith("Still serving on "))
    address = line.removeprefix("Still serving on ").partition(";")[0]
    with triton.InferenceServerClient(address) as client:
        assert client.is_model_ready("face-detection")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 0
    assert "Traceback" not in process.communicate()[1]
