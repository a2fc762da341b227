"""ONNX models whose weights lie in files of their own: what is read, and what never is."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import foreign_models
import ovserve
from ovserve.core import CannotStart
from ovserve.engine.external_data import points_into_memory
from ovserve.repository.look import see

SEVENS = np.full(1000, 7)


def answer(folder: Path, **settings: object) -> list[float]:
    with ovserve.load(model_name="m", model_path=folder, **settings) as loaded:
        return np.unique(loaded.infer("m", np.zeros((1, len(SEVENS)), np.float32))["y"]).tolist()


@pytest.mark.parametrize("location", ["w", "more/below/w", "./w"])
def test_weights_inside_the_folder_are_read_from_their_offset(tmp_path: Path, location: str) -> None:
    foreign_models.onnx_with_data(tmp_path / "1/model.onnx", SEVENS, location, offset=4096)
    assert answer(tmp_path) == [7]


def missing(folder: Path) -> None:
    (folder / "w").unlink()


def cut(folder: Path) -> None:
    os.truncate(folder / "w", 3999)


def of_another(folder: Path) -> None:
    foreign_models.onnx_with_data(folder / "model.onnx", SEVENS, "../w")


def anywhere(folder: Path) -> None:
    foreign_models.onnx_with_data(folder / "model.onnx", SEVENS, str(folder.parent / "w"))


def linked(folder: Path) -> None:
    shutil.move(folder / "w", folder.parent / "w")
    (folder / "w").symlink_to(folder.parent / "w")


def in_memory(folder: Path) -> None:
    foreign_models.onnx_with_data(folder / "model.onnx", SEVENS, "*/_ORT_MEM_ADDR_/*", offset=4096, writes=False)


def in_memory_under_another_name(folder: Path) -> None:
    in_memory(folder)
    (folder / "model.onnx").rename(folder / "model.tflite")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (missing, "its data file 'w' is missing, may not be read or is too short (offset 0, length 4000)"),
        (cut, "its data file 'w' is missing, may not be read or is too short (offset 0, length 4000)"),
        (of_another, "its data file '../w' lies outside the folder of the version"),
        (anywhere, "its data file 'w' lies outside the folder of the version"),
        (linked, "its data file 'w' lies outside the folder of the version"),
        (in_memory, "it takes weights from an address in the server's memory"),
        (in_memory_under_another_name, "it takes weights from an address in the server's memory"),
    ],
)
def test_others_are_refused_in_a_sentence(tmp_path: Path, harm: Callable[[Path], None], sentence: str) -> None:
    file = foreign_models.onnx_with_data(tmp_path / "1/model.onnx", SEVENS, "w")
    harm(file.parent)
    with pytest.raises(CannotStart) as refused:
        answer(tmp_path, allow_symlinks=True)
    assert str(refused.value).endswith(f"cannot be read: {sentence}")
    assert str(tmp_path) not in str(refused.value)


def test_a_mark_that_lies_across_two_pieces_of_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for before in range((1 << 20) - 20, (1 << 20) + 2):
        path.write_bytes(bytes(before) + b"*/_ORT_MEM_ADDR_/*")
        assert points_into_memory(path), before
    path.write_bytes(bytes(before) + b"*/_ORT_MEM_ADDR_/")
    assert not points_into_memory(path)


def test_a_model_whose_data_alone_is_replaced_is_another_one(tmp_path: Path) -> None:
    """Also for a server that keeps compiled models."""
    file = foreign_models.onnx_with_data(tmp_path / "m/1/model.onnx", SEVENS)
    for place in (file.parent, file):
        before = see(place, None)
        assert answer(tmp_path / "m", cache_dir=tmp_path / "cache") == [7]
        (tmp_path / "m/1/model.onnx.data").write_bytes(np.full(1000, 8, np.float32).tobytes())
        assert see(place, None) != before
        assert answer(tmp_path / "m", cache_dir=tmp_path / "cache") == [8]
        foreign_models.onnx_with_data(file, SEVENS)
