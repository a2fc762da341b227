from pathlib import Path

import numpy as np
import pytest

from ovclient import TensorMetadata
from ovclient.datasets import BadDataset, Dataset, from_numpy
from ovclient.image_input import ImageInput

NCHW = ImageInput.of(TensorMetadata("x", "FP32", (-1, 3, 4, 5)))
NHWC = ImageInput.of(TensorMetadata("x", "FP32", (-1, 4, 5, 3)))


def saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "imgs.npy", array)
    return folder / "imgs.npy"


def load(folder: Path, array: np.ndarray, transpose: str | None = None, image: ImageInput | None = NCHW) -> Dataset:
    return from_numpy(saved(folder, array), None, transpose, image)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "int64", ">f4"])
def test_values_are_stretched_to_0_to_255(tmp_path: Path, dtype: str) -> None:
    dataset = load(tmp_path, np.arange(60, 120).reshape(1, 3, 4, 5).astype(dtype))
    taken = dataset.take([0])
    assert (taken.min(), taken.max()) == (0, 255)
    assert dataset.range() == (0, 255)
    assert taken.dtype.kind == "f"


def test_float32_stays_float32(tmp_path: Path) -> None:
    assert load(tmp_path, np.arange(60, dtype="f4").reshape(1, 3, 4, 5)).take([0]).dtype == np.float32


def test_pictures_of_one_value_become_black_not_nan(tmp_path: Path) -> None:
    dataset = load(tmp_path, np.full((1, 3, 4, 5), 7, np.float32))
    assert not dataset.take([0]).any()
    assert dataset.range() == (0, 0)


def test_after_the_last_picture_comes_the_first(tmp_path: Path) -> None:
    dataset = load(tmp_path, np.arange(180, dtype="f4").reshape(3, 3, 4, 5))
    assert (dataset.take([2, 3, 4])[1:] == dataset.take([0, 1])).all()


@pytest.mark.parametrize(
    ("stored", "transpose", "image", "sent"),
    [
        ((2, 3, 4, 5), None, NCHW, (2, 3, 4, 5)),
        ((2, 4, 5, 3), None, NCHW, (2, 3, 4, 5)),
        ((2, 3, 4, 5), None, NHWC, (2, 4, 5, 3)),
        ((2, 4, 5, 3), None, NHWC, (2, 4, 5, 3)),
        ((2, 4, 5, 3), None, None, (2, 4, 5, 3)),
        ((2, 4, 5, 3), "no", NCHW, (2, 4, 5, 3)),
        ((2, 4, 5, 3), "nhwc2nchw", NHWC, (2, 3, 4, 5)),
        ((2, 3, 4, 5), "nchw2nhwc", None, (2, 4, 5, 3)),
    ],
)
def test_pictures_are_transposed_where_the_model_needs_it_unless_told(
    tmp_path: Path, stored: tuple[int, ...], transpose: str | None, image: ImageInput | None, sent: tuple[int, ...]
) -> None:
    assert load(tmp_path, np.zeros(stored, "f4"), transpose, image).take([0, 1]).shape == sent


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 4, 5)), r"expected numbers of shape .* got float64\[3, 4, 5\]"),
        (np.zeros((0, 3, 4, 5)), r"got float64\[0, 3, 4, 5\]"),
        (np.zeros((1, 3, 4, 5), "S3"), "expected numbers"),
        (np.full((1, 3, 4, 5), np.nan), "holds values that are not finite"),
        (np.array([None]), "is no .npy file of numbers"),
    ],
)
def test_a_file_without_pictures_is_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    with pytest.raises(BadDataset, match=f"imgs.npy.*{message}"):
        load(tmp_path, array)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npy_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(BadDataset, match=r"x\.npy is no \.npy file of numbers"):
        from_numpy(tmp_path / "x.npy", None, None, None)


def test_an_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=[1])
    with pytest.raises(BadDataset, match="an archive of several"):
        from_numpy(tmp_path / "x.npz", None, None, None)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match=r"cannot read .*x\.npy: No such file"):
        from_numpy(tmp_path / "x.npy", None, None, None)


@pytest.mark.parametrize("labels", [np.zeros(1, int), np.zeros(2)])
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    np.save(tmp_path / "lbs.npy", labels)
    with pytest.raises(BadDataset, match=r"lbs\.npy: expected a whole number for each of the 2 pictures"):
        from_numpy(saved(tmp_path, np.zeros((2, 3, 4, 5))), tmp_path / "lbs.npy", None, NCHW)
