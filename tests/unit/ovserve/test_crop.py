"""The custom node that cuts detections out of a picture."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
import pytest

import ovserve
import python_models
from ovserve.config.declared import TritonConfig
from ovserve.engine.python_backend.load_python import load_python
from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.errors import LoadFailed
from ovserve.tensors import Array, DType, Tensor

CROP = Path(ovserve.__file__).parent / "custom_nodes" / "crop.py"
END = [-1.0, 0, 0, 0, 0, 0, 0]

Node = Callable[..., PythonModel]


@pytest.fixture
def node() -> Iterator[Node]:
    made: list[PythonModel] = []

    def load(**params: object) -> PythonModel:
        texts = {"target_width": 4, "target_height": 2} | params
        parameters = {name: {"string_value": str(value)} for name, value in texts.items()}
        document = {"name": "crop", "backend": "python", "parameters": parameters}
        made.append(load_python(CROP, TritonConfig("crop", document=document), name="crop", version=1))
        return made[-1]

    yield load
    for model in made:
        model.close()


def row(confidence: float, *box: float) -> list[float]:
    return [0, 1, confidence, *box]


def run(model: PythonModel, image: Array, rows: Sequence[Sequence[float]] | Array) -> tuple[Array, Array, Array]:
    detections = np.array(rows, np.float32).reshape(1, 1, -1, 7)
    answer = python_models.run(
        model, {"image": Tensor(DType.FP32, image.astype(np.float32)), "detections": Tensor(DType.FP32, detections)}
    )
    return answer["images"].data, answer["coordinates"].data, answer["confidences"].data


def picture(height: int = 10, width: int = 20) -> Array:
    """Channel 0 counts columns, channel 1 rows, channel 2 is 7."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 7)])[None]


def test_a_cut_has_the_pixels_of_its_box(node: Node) -> None:
    images, coordinates, confidences = run(node(), picture(), [row(0.9, 0.25, 0.5, 0.45, 0.7)])
    assert images.shape == (1, 1, 3, 2, 4)
    assert images[0, 0].tolist() == [[[5, 6, 7, 8]] * 2, [[5] * 4, [6] * 4], [[7] * 4] * 2]
    assert coordinates[0, 0] == pytest.approx([0.25, 0.5, 0.45, 0.7])
    assert confidences.ravel() == pytest.approx([0.9])


def test_a_cut_is_resized(node: Node) -> None:
    images, _, _ = run(node(target_width=5, target_height=3), picture(), [row(0.9, 0, 0, 1, 1)])
    expected = cv2.resize(picture()[0].transpose(1, 2, 0).astype(np.float32), (5, 3)).transpose(2, 0, 1)
    assert np.array_equal(images[0, 0], expected)


def test_no_detection_gives_no_cuts(node: Node) -> None:
    for rows in ([], [END], [row(0.4, 0, 0, 1, 1)]):
        assert [array.shape for array in run(node(), picture(), rows)] == [(0, 1, 3, 2, 4), (0, 1, 4), (0, 1, 1)]


def test_the_list_ends_where_it_says(node: Node) -> None:
    rows = [row(0.9, 0, 0, 1, 1), END, row(0.8, 0, 0, 1, 1)]
    assert run(node(), picture(), rows)[2].ravel() == pytest.approx([0.9])


def test_only_what_is_surer_than_the_threshold_is_cut(node: Node) -> None:
    rows = [row(confidence, 0, 0, 1, 1) for confidence in (0.25, 0.75, 0.5, 1.0)]
    assert run(node(confidence_threshold=0.5), picture(), rows)[2].ravel().tolist() == [0.75, 1]
    assert run(node(confidence_threshold=0), picture(), rows)[2].ravel().tolist() == [0.25, 0.75, 0.5, 1]


def test_of_too_many_the_surest_are_cut_in_their_order(node: Node) -> None:
    rows = [row(confidence, 0, 0, 1, 1) for confidence in (0.625, 0.875, 0.75, 1.0)]
    assert run(node(max_crops=2), picture(), rows)[2].ravel().tolist() == [0.875, 1]


def test_a_box_is_clipped_to_the_picture(node: Node) -> None:
    images, coordinates, _ = run(node(), picture(), [row(0.9, -3, 0.5, 0.2, 7)])
    assert coordinates[0, 0] == pytest.approx([0, 0.5, 0.2, 1])
    assert images[0, 0, 0].tolist() == [[0, 1, 2, 3]] * 2


def test_a_margin_is_part_of_the_box_and_clipped_too(node: Node) -> None:
    coordinates = run(node(enlarge="0.5"), picture(), [row(0.9, 0.5, 0.1, 0.75, 0.4)])[1]
    assert coordinates[0, 0] == pytest.approx([0.375, 0, 0.875, 0.55])


@pytest.mark.parametrize(
    "box",
    [
        (0.5, 0.5, 0.5, 0.9),
        (0.9, 0.5, 0.5, 0.9),
        (1.5, 0.1, 1.9, 0.9),
        (0.1, -0.9, 0.9, -0.1),
        (np.nan, 0, 1, 1),
        (-np.inf, 0, 1, 1),
    ],
)
def test_a_box_without_a_place_in_the_picture_is_left_out(node: Node, box: Sequence[float]) -> None:
    rows = [row(0.9, *box), row(0.75, 0, 0, 1, 1)]
    images, coordinates, confidences = run(node(), picture(), rows)
    assert (len(images), coordinates[0, 0].tolist(), confidences.ravel().tolist()) == (1, [0, 0, 1, 1], [0.75])


def test_a_box_smaller_than_a_pixel_is_that_pixel(node: Node) -> None:
    images, _, _ = run(node(), picture(), [row(0.9, 0.51, 0.51, 0.52, 0.52), row(0.9, 0.9999, 0.9999, 1, 1)])
    assert images[:, 0, :2, 0, 0].tolist() == [[10, 5], [19, 9]]


def test_a_picture_without_pixels_gives_no_cuts(node: Node) -> None:
    assert len(run(node(), picture(0, 20), [row(0.9, 0, 0, 1, 1)])[0]) == 0


def test_it_declares_the_size_of_its_cuts(node: Node) -> None:
    model = node(target_width=8, target_height=6)
    assert {spec.name: spec.wire_shape for spec in model.inputs} == {
        "image": [1, 3, -1, -1],
        "detections": [1, 1, -1, 7],
    }
    assert {spec.name: spec.wire_shape for spec in model.outputs} == {
        "images": [-1, 1, 3, 6, 8],
        "coordinates": [-1, 1, 4],
        "confidences": [-1, 1, 1],
    }


@pytest.mark.parametrize(
    ("param", "value", "sentence"),
    [
        ("target_width", "wide", "param 'target_width' must be a whole number from 1 to 4096, got 'wide'"),
        ("target_width", "1.5", "param 'target_width' must be a whole number from 1 to 4096, got '1.5'"),
        ("target_height", "0", "param 'target_height' must be a whole number from 1 to 4096, got '0'"),
        ("confidence_threshold", "2", "param 'confidence_threshold' must be a number from 0 to 1, got '2'"),
        ("enlarge", "nan", "param 'enlarge' must be a number from 0 to 10, got 'nan'"),
        ("max_crops", "-1", "param 'max_crops' must be a whole number from 1 to 10000, got '-1'"),
        (
            "treshold",
            "0.5",
            (
                "there is no param 'treshold'; there are "
                "target_width, target_height, confidence_threshold, enlarge, max_crops"
            ),
        ),
    ],
)
def test_a_wrong_param_is_named(node: Node, param: str, value: str, sentence: str) -> None:
    with pytest.raises(LoadFailed) as raised:
        node(**{param: value})
    assert str(raised.value) == f"'crop.py': auto_complete_config failed: {sentence}"


def test_a_missing_param_is_named() -> None:
    with pytest.raises(LoadFailed, match=r"param 'target_width' is missing$"):
        load_python(CROP, TritonConfig("crop"), name="crop", version=1)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "faces"), [("people1", 10), ("people2", 2), ("people3", 3), ("people4", 2)])
def test_every_face_of_a_picture_is_cut(shared: Path, node: Node, name: str, faces: int) -> None:
    core = ov.Core()
    detector = core.compile_model(shared / "models/face-detection-retail-0004/1/model.xml", "CPU")
    found = cv2.imread(str(shared / "images/people" / f"{name}.jpeg"))
    assert found is not None
    image = cv2.resize(found, (300, 300)).transpose(2, 0, 1)[None].astype(np.float32)
    detections = detector(image)["detection_out"]
    images, _, confidences = run(node(target_width=32, target_height=48), image, detections)
    assert images.shape == (faces, 1, 3, 48, 32)
    assert confidences.min() > 0.5
