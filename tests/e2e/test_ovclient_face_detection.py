"""`ovclient face-detection` against the real server and the real model."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from client_process import ovclient
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]
pytestmark = pytest.mark.shared


@pytest.fixture
def server(serve: Serve, shared: Path) -> ServerProcess:
    return serve("--model_name", "face-detection", "--model_path", str(shared / "models/face-detection-retail-0004"))


def detect(server: ServerProcess, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ovclient(server, "face-detection", "--output_dir", str(out), *arguments)


def faces(output: str) -> dict[str, str]:
    lines = (line.split(": ") for line in output.splitlines() if line.endswith((" face", " faces")))
    return {name: count.split()[0] for name, count in lines}


def test_the_four_pictures_have_10_2_3_and_2_faces(server: ServerProcess, shared: Path, tmp_path: Path) -> None:
    people = ["--input_images_dir", str(shared / "images/people"), "--width", "300", "--height", "300"]
    done = detect(server, tmp_path / "out", *people)
    assert (done.returncode, done.stderr) == (0, "")
    assert faces(done.stdout) == {"people1.jpeg": "10", "people2.jpeg": "2", "people3.jpeg": "3", "people4.jpeg": "2"}
    assert "Request shape (1, 3, 300, 300)\nResponse shape (1, 1, 200, 7)\n" in done.stdout
    for number in (1, 2, 3, 4):
        picture = cv2.imread(str(tmp_path / f"out/{number}_0.jpg"))
        assert picture.shape == (300, 300, 3)
        assert cv2.inRange(picture, (0, 0, 200), (60, 60, 255)).any()


def test_files_as_they_are_have_the_same_faces(server: ServerProcess, shared: Path, tmp_path: Path) -> None:
    done = detect(server, tmp_path / "out", "--input_images_dir", str(shared / "images/people"), "--binary")
    assert (done.returncode, done.stderr) == (0, "")
    assert faces(done.stdout) == {"people1.jpeg": "10", "people2.jpeg": "2", "people3.jpeg": "3", "people4.jpeg": "2"}


def test_each_packaged_portrait_has_one_face(server: ServerProcess, tmp_path: Path) -> None:
    done = detect(server, tmp_path)
    assert faces(done.stdout) == {"astronaut.jpg": "1", "camera.jpg": "1", "grace_hopper.jpg": "1"}


def test_a_size_the_model_does_not_take_is_one_sentence(server: ServerProcess, tmp_path: Path) -> None:
    done = detect(server, tmp_path, "--width", "500")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "500" in done.stderr
