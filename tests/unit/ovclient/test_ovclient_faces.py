import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ovclient.testing import FakeServer
from ovclient_command import Run


@pytest.fixture(autouse=True)
def model(server: FakeServer) -> None:
    serve(server)


def serve(server: FakeServer, shape: tuple[int, ...] = (-1, 3, -1, -1)) -> None:
    """A detector that finds one face per 100 of brightness in each picture, and ends its list with -1."""

    def detect(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = [
            (position, 1, 0.9, 0.25, 0.5, 0.75, 1)
            for position, picture in enumerate(inputs["data"])
            for _ in range(round(float(picture.mean()) / 100))
        ]
        rows += [(-1, 0, 0, 0, 0, 0, 0), (0, 1, 1, 0, 0, 1, 1)]
        return {"detection_out": np.array(rows, np.float32)[None, None]}

    outputs = {"detection_out": ("FP32", (1, 1, 200, 7))}
    server.add_model("face-detection", detect, inputs={"data": ("FP32", shape)}, outputs=outputs)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures with 0, 1 and 2 faces, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, level in (("c.png", 200), ("a.png", 0), ("b.jpg", 100)):
        cv2.imwrite(str(folder / name), np.full((50, 60, 3), level, np.uint8))
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_lines(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run(
        "face-detection",
        "--input_images_dir",
        str(photos),
        "--output_dir",
        f"{tmp_path}/out",
        "--width",
        "40",
        "--height",
        "20",
    )
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, f"skipped {photos}/notes.txt: no picture that OpenCV can read\n")
    assert lines[:9] == [
        "['a.png', 'b.jpg', 'c.png']",
        "Start processing 3 iterations with batch size 1",
        "",
        "Request shape (1, 3, 20, 40)",
        "Response shape (1, 1, 2, 7)",
        "image in batch item 0 , output shape (3, 20, 40)",
        f"saving result to {tmp_path}/out/1_0.jpg",
        "a.png: 0 faces",
        lines[8],
    ]
    assert lines[8].startswith("Iteration 1; Processing time: ")
    assert lines[13:20] == [
        "detection 0 [[[0.   1.   0.9  0.25 0.5  0.75 1.  ]]]",
        "x_min 10",
        "y_min 10",
        "x_max 30",
        "y_max 20",
        f"saving result to {tmp_path}/out/2_0.jpg",
        "b.jpg: 1 face",
    ]
    assert "c.png: 2 faces" in lines
    assert "processing time for all iterations" in lines
    assert lines[-1].startswith("time variance: ")


def test_pictures_are_written_resized_with_boxes(run: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    run(
        "face-detection",
        "--input_images_dir",
        str(photos),
        "--output_dir",
        str(out),
        "--width",
        "400",
        "--height",
        "200",
    )
    assert sorted(path.name for path in out.iterdir()) == ["1_0.jpg", "2_0.jpg", "3_0.jpg"]
    drawn = cv2.imread(str(out / "2_0.jpg"))
    assert drawn.shape == (200, 400, 3)
    assert drawn[150, 100, 2] > drawn[150, 100, 1] + 50
    assert abs(int(drawn[150, 50, 2]) - int(drawn[150, 50, 1])) < 20


@pytest.mark.parametrize(("shape", "last"), [((-1, 3, -1, -1), 1), ((2, 3, -1, -1), 2)])
def test_the_rest_of_the_last_batch_is_not_dropped(
    *, run: Run, server: FakeServer, photos: Path, tmp_path: Path, shape: tuple[int, ...], last: int
) -> None:
    serve(server, shape)
    done = run(
        "face-detection", "--input_images_dir", str(photos), "--batch_size", "2", "--output_dir", f"{tmp_path}/o"
    )
    assert len(server.inputs(1)["data"]) == last
    assert "c.png: 2 faces" in done.out
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["1_0.jpg", "1_1.jpg", "2_0.jpg"]


@pytest.mark.parametrize(("shape", "sent"), [((1, 3, -1, -1), (1, 3, 800, 1200)), ((1, 20, 30, 3), (1, 20, 30, 3))])
def test_the_size_is_the_models_or_ovmss(
    *, run: Run, server: FakeServer, photos: Path, tmp_path: Path, shape: tuple[int, ...], sent: Any
) -> None:
    serve(server, shape)
    run("face-detection", "--input_images_dir", str(photos), "--output_dir", str(tmp_path))
    assert server.inputs()["data"].shape == sent


def test_without_a_folder_it_takes_packaged_portraits(run: Run, tmp_path: Path) -> None:
    done = run("face-detection", "--output_dir", str(tmp_path), "--width", "30", "--height", "30")
    assert done.out.startswith("['astronaut.jpg', 'camera.jpg', 'grace_hopper.jpg']\n")


def test_confidence(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run(
        "face-detection", "--input_images_dir", str(photos), "--confidence", "0.95", "--output_dir", str(tmp_path)
    )
    assert "c.png: 0 faces" in done.out


def test_json(run: Run, photos: Path, tmp_path: Path) -> None:
    flags = ["--input_images_dir", str(photos), "--output_dir", str(tmp_path), "--width", "40", "--height", "20"]
    document = json.loads(run("face-detection", *flags, "--json").out)
    assert document["images"][1] == {
        "name": "b.jpg",
        "width": 40,
        "height": 20,
        "faces": [{"x_min": 10, "y_min": 10, "x_max": 30, "y_max": 20, "score": pytest.approx(0.9)}],
        "saved": f"{tmp_path}/2_0.jpg",
    }
    assert len(document["times_ms"]) == 3


def test_other_names_of_one_input_and_one_output(run: Run, server: FakeServer, photos: Path, tmp_path: Path) -> None:
    rows = np.array([[[[0, 1, 0.9, 0, 0, 1, 1]]]], np.float32)
    server.add_model(
        "mine",
        lambda _: {"boxes": rows},
        inputs={"x": ("FP32", (1, 3, 8, 8))},
        outputs={"boxes": ("FP32", (1, 1, 1, 7))},
    )
    done = run(
        "face-detection", "--model_name", "mine", "--input_images_dir", str(photos), "--output_dir", str(tmp_path)
    )
    assert "a.png: 1 face\n" in done.out


def test_a_folder_that_cannot_be_made_is_one_sentence(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("face-detection", "--input_images_dir", str(photos), "--output_dir", f"{tmp_path}/file/out")
    assert (done.code, done.err.splitlines()[-1]) == (
        1,
        f"ovclient: cannot make the folder {tmp_path}/file/out: Not a directory",
    )


def test_a_picture_that_cannot_be_written_is_one_sentence(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out/1_0.jpg").mkdir(parents=True)
    done = run("face-detection", "--input_images_dir", str(photos), "--output_dir", f"{tmp_path}/out")
    assert (done.code, done.err.splitlines()[-1]) == (
        1,
        f"ovclient: cannot write {tmp_path}/out/1_0.jpg: Is a directory",
    )


def test_an_empty_folder_is_one_sentence(run: Run, tmp_path: Path) -> None:
    done = run("face-detection", "--input_images_dir", str(tmp_path))
    assert (done.code, done.err) == (1, f"ovclient: no picture in {tmp_path}\n")


def test_an_answer_that_is_no_detections_is_one_sentence(
    run: Run, server: FakeServer, photos: Path, tmp_path: Path
) -> None:
    server.add_model(
        "face-detection",
        lambda _: {"y": [[1.0]]},
        inputs={"x": ("FP32", (1, 3, 8, 8))},
        outputs={"y": ("FP64", (1, 1))},
    )
    done = run("face-detection", "--input_images_dir", str(photos), "--output_dir", str(tmp_path))
    assert (
        "output 'y' of model 'face-detection': expected numbers of shape [1, 1, rows, 7], got float64[1, 1]" in done.err
    )
