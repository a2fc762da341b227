"""Pipelines with steps of Python code, over a real socket."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import ovserve.custom_nodes
import small_models
from ovclient import Client, InvalidRequest, OVClientError, ServerFailure
from pipelines import document, node
from server_process import ServerProcess
from watched import Watched, adding

Serve = Callable[..., ServerProcess]
CROP = Path(ovserve.custom_nodes.__path__[0]) / "crop.py"

SCALE = """
import json
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({"name": "x", "data_type": "TYPE_FP32", "dims": [1, 2]})
        config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [1, 2]})
        return config

    def initialize(self, args):
        self.factor = float(json.loads(args["model_config"])["parameters"]["factor"]["string_value"])

    def execute(self, requests):
        x = requests[0].inputs()[0].as_numpy()
        if x.max() > 1000:
            error = pb_utils.TritonError("x is too large", pb_utils.TritonError.INVALID_ARG)
            return [pb_utils.InferenceResponse(error=error)]
        if x.min() < 0:
            raise ValueError("x is negative")
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", x * self.factor)])]
"""


def write(folder: Path, *nodes: dict[str, Any], library: str = "scale.py", **fields: Any) -> Path:
    file = folder / "config.json"
    file.write_text(
        json.dumps(
            {
                "model_config_list": [{"config": {"name": "a", "base_path": "a"}}],
                "custom_node_library_config_list": [{"name": "scale", "base_path": library}],
                "pipeline_config_list": [document(*nodes, **fields)],
            }
        )
    )
    return file


def scaling(factor: str = "2", **fields: Any) -> dict[str, Any]:
    return node("n", library_name="scale", params={"factor": factor}, inputs={"x": "m.y"}, **fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`a` adds 1, and the node `n` of the pipeline doubles that."""
    small_models.save(adding(1), tmp_path / "a/1")
    (tmp_path / "scale.py").write_text(SCALE)
    write(tmp_path, node("m", "a"), scaling())
    return tmp_path


@pytest.fixture
def served(serve: Serve, folder: Path) -> Iterator[Watched]:
    watched = Watched(serve("--config_path", str(folder)))
    with watched.client:
        yield watched


def test_a_node_of_code_runs_after_a_model(served: Watched) -> None:
    assert served.answer("p") == 2
    assert {row.name: row.state for row in served.client.repository_index()} == {
        "a": "READY",
        "p": "READY",
        "p/n": "READY",
    }


def test_its_error_reaches_the_client_with_its_code_and_the_node(served: Watched) -> None:
    with pytest.raises(InvalidRequest, match=r"pipeline 'p': node 'n': .*x is too large"):
        served.client.infer("p", np.full((1, 2), 2000, np.float32))
    with pytest.raises(ServerFailure, match=r"pipeline 'p': node 'n': .*execute failed: ValueError: x is negative"):
        served.client.infer("p", np.full((1, 2), -5, np.float32))
    assert served.answer("p") == 2


def test_a_changed_file_is_loaded_anew_and_a_broken_one_changes_nothing(served: Watched, folder: Path) -> None:
    (folder / "scale.py").write_text(SCALE.replace("x * self.factor", "x * self.factor + 5"))
    served.wait_answer(7, "p")
    (folder / "scale.py").write_text(SCALE.replace("def execute", "def execute("))
    served.wait_state("1", "READY", "its files have changed and cannot be loaded", name="p/n")
    assert "SyntaxError" in served.rows("p/n")["1"][1]
    assert served.answer("p") == 7
    (folder / "scale.py").write_text(SCALE)
    served.wait_answer(2, "p")


def test_other_params_are_another_node(served: Watched, folder: Path) -> None:
    write(folder, node("m", "a"), scaling("3"))
    served.wait_answer(3, "p")
    write(folder, node("m", "a"), scaling("x"))
    served.wait_state("1", "READY", "its settings have changed and cannot be loaded", name="p/n")
    assert served.answer("p") == 3


@pytest.mark.parametrize(
    ("library", "row", "sentence"),
    [
        ("nope.py", "p/n", "the file does not exist"),
        ("scale.py", "p/n", "'scale.py': initialize failed: KeyError: 'factor'"),
        ("scale.py", "p", "node 'n': model 'p/n' is not available: version 1: 'scale.py': initialize failed"),
    ],
)
def test_one_that_cannot_be_loaded_says_why(serve: Serve, folder: Path, library: str, row: str, sentence: str) -> None:
    write(folder, node("m", "a"), node("n", library_name="scale", inputs={"x": "m.y"}), library=library)
    watched = Watched(serve("--config_path", str(folder)))
    with watched.client:
        ((state, reason),) = watched.rows(row).values()
        assert state == "UNAVAILABLE"
        assert sentence in reason
        assert str(folder) not in reason
        assert watched.answer("a") == 1


def test_a_library_that_is_not_listed_says_so(serve: Serve, folder: Path) -> None:
    write(folder, node("m", "a"), node("n", library_name="other", inputs={"x": "m.y"}))
    watched = Watched(serve("--config_path", str(folder)))
    with watched.client:
        ((_, reason),) = watched.rows("p/n").values()
        assert reason == "custom_node_library_config_list has no library 'other'"


def test_what_it_declares_is_checked_like_a_model(serve: Serve, folder: Path) -> None:
    (folder / "scale.py").write_text(SCALE.replace('"dims": [1, 2]', '"dims": [1, 3]'))
    watched = Watched(serve("--config_path", str(folder)))
    with watched.client:
        ((_, reason),) = watched.rows("p").values()
        assert reason == (
            "node 'n': input 'x' of model 'p/n' version 1 expects shape (1,3), output 'y' of node 'm' has (1,2)"
        )


# Detector -> crop -> classifier

FACES = document(
    node(
        "detector",
        "face-detection",
        inputs={"data": "request.image"},
        outputs="detection_out",
    ),
    node(
        "crop",
        library_name="crop",
        params={"target_width": "224", "target_height": "224"},
        inputs={"image": "request.image", "detections": "detector.detection_out"},
        outputs="images coordinates confidences",
        demultiply_count=-1,
    ),
    node("classifier", "resnet", inputs={"0": "crop.images"}, outputs="1463"),
    inputs="image",
    outputs="classes=classifier.1463 faces=crop.images coordinates=crop.coordinates confidences=crop.confidences",
)


@pytest.fixture(scope="module")
def faces(serve_once: Serve, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("faces")
    shutil.copy(CROP, folder)
    models = {"face-detection": "face-detection-retail-0004", "resnet": "efficientnet-lite0"}
    configs = [{"config": {"name": name, "base_path": str(shared / "models" / path)}} for name, path in models.items()]
    configs[1]["config"]["batch_size"] = "1"
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_config_list": configs,
                "custom_node_library_config_list": [{"name": "crop", "base_path": "crop.py"}],
                "pipeline_config_list": [{**FACES, "name": "faces"}],
            }
        )
    )
    with Client(serve_once("--config_path", str(folder / "config.json")).address) as client:
        yield client


def pixels(shared: Path, picture: int) -> np.ndarray:
    found = cv2.imread(str(shared / f"images/people/people{picture}.jpeg"))
    return cv2.resize(found, (300, 300)).astype(np.float32).transpose(2, 0, 1)[np.newaxis]


@pytest.mark.shared
@pytest.mark.parametrize(("picture", "count"), [(1, 10), (2, 2), (3, 3), (4, 2)])
def test_as_many_crops_as_faces(faces: Client, shared: Path, picture: int, count: int) -> None:
    found = faces.infer("faces", pixels(shared, picture))
    assert {name: array.shape for name, array in found.items()} == {
        "classes": (count, 1, 1000),
        "faces": (count, 1, 3, 224, 224),
        "coordinates": (count, 1, 4),
        "confidences": (count, 1, 1),
    }


@pytest.mark.shared
def test_a_picture_without_faces_gives_empty_results(faces: Client) -> None:
    found = faces.infer("faces", np.zeros((1, 3, 300, 300), np.float32))
    assert {name: array.shape for name, array in found.items()} == {
        "classes": (0, 1, 1000),
        "faces": (0, 1, 3, 224, 224),
        "coordinates": (0, 1, 4),
        "confidences": (0, 1, 1),
    }


@pytest.mark.shared
def test_each_crop_is_classified_as_it_would_be_alone(faces: Client, shared: Path) -> None:
    found = faces.infer("faces", pixels(shared, 3))
    for face, classes in zip(found["faces"], found["classes"], strict=True):
        np.testing.assert_allclose(faces.infer("resnet", face)["1463"], classes, rtol=1e-3, atol=1e-5)


@pytest.mark.shared
def test_a_wrong_picture_is_refused_at_the_pipelines_door(faces: Client) -> None:
    with pytest.raises(OVClientError, match=r"pipeline 'faces': Invalid input shape - Expected: \(1,3,300,300\)"):
        faces.infer("faces", np.zeros((1, 3, 200, 300), np.float32))
