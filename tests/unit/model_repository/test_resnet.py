"""The packaged network of digits: what its README promises."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import openvino as ov
import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
HOME = CHECKOUT / "model_repository" / "resnet"
SAMPLES = CHECKOUT / "client_sdk" / "ovclient" / "samples"


@pytest.fixture(scope="module")
def model() -> ov.Model:
    return ov.Core().read_model(HOME / "1" / "model.xml")


@pytest.fixture(scope="module")
def compiled(model: ov.Model) -> ov.CompiledModel:
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.load(SAMPLES / "digits_images.npy", allow_pickle=False)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.load(SAMPLES / "digits_labels.npy", allow_pickle=False)


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    """The module that says which pictures were held out."""
    pytest.importorskip("sklearn", reason="scikit-learn, which has the digits, is not installed")
    spec = spec_from_file_location("digits", HOME / "digits.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def classes(compiled: ov.CompiledModel, pictures: np.ndarray) -> np.ndarray:
    return compiled(pictures)["1463"].argmax(1)


def test_takes_any_number_of_small_grey_pictures(model: ov.Model) -> None:
    assert [(tensor.any_name, str(tensor.partial_shape)) for tensor in model.inputs] == [("0", "[?,1,8,8]")]
    assert model.input("0").element_type == ov.Type.f32


def test_answers_one_score_for_each_digit(model: ov.Model) -> None:
    assert [(tensor.any_name, str(tensor.partial_shape)) for tensor in model.outputs] == [("1463", "[?,10]")]
    assert model.output("1463").element_type == ov.Type.f32


def test_carries_its_labels(model: ov.Model) -> None:
    names = model.get_rt_info(["model_info", "labels"]).astype(str).split()
    assert names == ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def test_is_a_residual_network(model: ov.Model) -> None:
    joins = [
        node
        for node in model.get_ops()
        if node.get_type_name() == "Add" and not any(holds_weights(value.get_node()) for value in node.input_values())
    ]
    assert len(joins) == 4


def holds_weights(node: ov.Node) -> bool:
    """Whether a node is a constant, perhaps one stored as FP16."""
    return node.get_type_name() == "Constant" or (
        node.get_type_name() == "Convert" and holds_weights(node.input_value(0).get_node())
    )


@pytest.mark.parametrize("batch", [1, 8, 16])
def test_every_packaged_sample_is_right(
    compiled: ov.CompiledModel, images: np.ndarray, labels: np.ndarray, batch: int
) -> None:
    found = [classes(compiled, images[start : start + batch]) for start in range(0, len(images), batch)]
    assert np.concatenate(found).tolist() == labels.tolist()


def test_there_are_sixteen_packaged_samples(images: np.ndarray, labels: np.ndarray) -> None:
    assert (images.shape, labels.shape, labels.dtype) == ((16, 1, 8, 8), (16,), np.int64)


def test_scores_are_probabilities(compiled: ov.CompiledModel, images: np.ndarray) -> None:
    scores = compiled(images)["1463"]
    assert scores.min() >= 0
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)


def test_stretching_the_samples_to_0_255_as_ovms_clients_do_changes_nothing(images: np.ndarray) -> None:
    assert images.dtype == np.float32, "OVMS's clients make FP64, which no server takes, of whole numbers"
    stretched = (images - images.min()) / np.ptp(images) * 255
    np.testing.assert_array_almost_equal_nulp(stretched, images, nulp=2)


def test_held_out_accuracy_is_what_the_readme_says(compiled: ov.CompiledModel, digits: ModuleType) -> None:
    stated = re.search(r"(\d+) of (\d+) held-out pictures", (HOME / "README.md").read_text(encoding="utf-8"))
    assert stated is not None
    pictures, truth = digits.pictures()
    _, held_out = digits.split(len(pictures))
    right = int((classes(compiled, pictures[held_out]) == truth[held_out]).sum())
    assert (right, len(held_out)) == (int(stated[1]), int(stated[2]))


def test_the_samples_are_the_first_held_out_pictures(
    digits: ModuleType, images: np.ndarray, labels: np.ndarray
) -> None:
    pictures, truth = digits.pictures()
    first = digits.split(len(pictures))[1][: len(images)]
    np.testing.assert_array_equal(images, pictures[first])
    np.testing.assert_array_equal(labels, truth[first])


def test_no_held_out_picture_was_trained_on(digits: ModuleType) -> None:
    pictures, _ = digits.pictures()
    training, held_out = digits.split(len(pictures))
    seen = {picture.tobytes() for picture in pictures[training]}
    assert not any(picture.tobytes() in seen for picture in pictures[held_out])
