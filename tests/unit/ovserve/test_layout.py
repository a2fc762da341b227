from pathlib import Path

import pytest

from ovserve.errors import LoadFailed
from ovserve.repository.layout import Kind, find_files, find_models, find_versions


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_each_folder_is_a_model_and_hidden_ones_and_files_are_not(tmp_path: Path) -> None:
    touch(tmp_path / "a/1/m.onnx", tmp_path / ".git/1/m.onnx", tmp_path / "loose.onnx")
    assert find_models(tmp_path) == {"a": tmp_path / "a"}


def test_a_missing_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="the folder does not exist"):
        find_models(tmp_path / "nope")


def test_versions_are_the_folders_named_by_a_number(tmp_path: Path) -> None:
    touch(tmp_path / "1/m.onnx", tmp_path / "20/m.onnx", tmp_path / "labels/x", tmp_path / "config.pbtxt")
    assert find_versions(tmp_path).places == {1: tmp_path / "1", 20: tmp_path / "20"}


@pytest.mark.parametrize("name", ["01", "0", "-1", "+1"])
def test_a_number_with_leading_zeros_or_not_positive_is_ignored_with_a_reason(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "2/m.onnx", tmp_path / name / "m.onnx")
    found = find_versions(tmp_path)
    assert list(found.places) == [2]
    assert f"folder '{name}' is ignored" in found.ignored[0]


@pytest.mark.parametrize("name", ["1abc", "v1", "²"])
def test_other_folders_are_no_versions(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "2/m.onnx", tmp_path / name / "m.onnx")
    assert find_versions(tmp_path).ignored == ()


def test_files_directly_in_the_models_folder_are_version_1(tmp_path: Path) -> None:
    touch(tmp_path / "m.onnx")
    assert find_versions(tmp_path).places == {1: tmp_path}


def test_a_single_file_is_version_1(tmp_path: Path) -> None:
    touch(tmp_path / "m.onnx")
    assert find_versions(tmp_path / "m.onnx").places == {1: tmp_path / "m.onnx"}


def test_a_folder_without_versions_or_files_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="no version found: expected a folder named by a number"):
        find_versions(tmp_path)


@pytest.mark.parametrize(
    ("present", "kind", "picked"),
    [
        (["m.xml", "m.bin"], Kind.IR, "m.xml"),
        (["m.xml", "m.onnx"], Kind.ONNX, "m.onnx"),
        (["m.onnx", "m.xml", "m.bin"], Kind.IR, "m.xml"),
        (["m.pdmodel", "m.pdiparams"], Kind.PADDLE, "m.pdmodel"),
        (["m.pdmodel", "m.tflite"], Kind.TFLITE, "m.tflite"),
        (["frozen.pb"], Kind.TENSORFLOW, "frozen.pb"),
        (["saved_model.pb"], Kind.TENSORFLOW, "1"),
        (["a.XML", "a.bin"], Kind.IR, "a.XML"),
    ],
)
def test_the_first_complete_kind_is_picked(tmp_path: Path, present: list[str], kind: Kind, picked: str) -> None:
    touch(*(tmp_path / "1" / name for name in present))
    found = find_files(tmp_path / "1")
    assert (found.kind, found.path.name) == (kind, picked)


def test_ir_without_weights_names_the_missing_file(tmp_path: Path) -> None:
    touch(tmp_path / "m.xml")
    with pytest.raises(LoadFailed, match=r"m\.xml needs m\.bin beside it, which is missing"):
        find_files(tmp_path)


def test_a_single_ir_file_finds_its_weights_beside_it(tmp_path: Path) -> None:
    touch(tmp_path / "m.xml", tmp_path / "m.bin", tmp_path / "a.xml", tmp_path / "a.bin")
    found = find_files(tmp_path / "m.xml")
    assert (found.path, found.weights) == (tmp_path / "m.xml", tmp_path / "m.bin")


def test_no_model_file_says_what_is_expected(tmp_path: Path) -> None:
    touch(tmp_path / "readme.txt")
    with pytest.raises(LoadFailed, match=r"no model file found: expected model\.xml with model\.bin"):
        find_files(tmp_path)
