"""Tensors that lie in shared memory: read once, when somebody needs them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from ovserve.errors import RegionChanged
from ovserve.requests import InferRequest
from ovserve.shared_memory import Region, Window
from ovserve.shared_tensor import SharedTensor
from ovserve.tensors import DType, Tensor

X = np.arange(1 << 18, dtype=np.float32).reshape(2, -1)


@pytest.fixture
def path() -> Iterator[Path]:
    path = Path("/dev/shm") / f"ovserve_test_{uuid4().hex}"  # noqa: S108 - that is where it lies
    path.write_bytes(X.tobytes())
    yield path
    path.unlink()


@pytest.fixture
def tensor(path: Path) -> SharedTensor:
    return SharedTensor(DType.FP32, X.shape, Window(Region("r", path.name, 0, X.nbytes), 0, X.nbytes))


def test_its_shape_is_known_before_it_is_read(tensor: SharedTensor) -> None:
    assert (tensor.shape, tensor.nbytes, tensor.is_read) == (X.shape, X.nbytes, False)


def test_what_was_read_stays_as_it_was(path: Path, tensor: SharedTensor) -> None:
    assert (tensor.data == X).all()
    path.write_bytes(bytes(X.nbytes))
    os.truncate(path, 0)
    assert (tensor.data == X).all()


def test_all_threads_get_the_same_copy(tensor: SharedTensor) -> None:
    with ThreadPoolExecutor(8) as threads:
        copies = list(threads.map(lambda _: tensor.data, range(64)))
    assert {id(copy) for copy in copies} == {id(tensor.data)}


def test_one_that_was_truncated_can_be_read_when_it_is_whole_again(path: Path, tensor: SharedTensor) -> None:
    os.truncate(path, X.nbytes - 1)
    with pytest.raises(RegionChanged, match=rf"ends at byte {X.nbytes} of .*, which has {X.nbytes - 1} bytes"):
        _ = tensor.data
    path.write_bytes(X.tobytes())
    assert (tensor.data == X).all()


def test_memory_at_hand_is_read_into_without_a_copy_of_its_own(tensor: SharedTensor) -> None:
    memory = np.empty_like(X)
    tensor.read_into(memory)
    assert (memory == X).all()
    assert not tensor.is_read


def test_a_request_that_is_settled_has_read_all(tensor: SharedTensor) -> None:
    plain = Tensor(DType.FP32, X)
    request = InferRequest("m", {"a": tensor, "b": plain})
    request.settle()
    assert tensor.is_read
    assert request.inputs["b"] is plain


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_one_number_or_none_has_its_shape(path: Path, shape: tuple[int, ...]) -> None:
    window = Window(Region("r", path.name, 0, X.nbytes), 4, 4)
    assert SharedTensor(DType.FP32, shape, window).data.tolist() == np.ones(shape, np.float32).tolist()
