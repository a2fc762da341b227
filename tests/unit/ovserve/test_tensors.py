import numpy as np
import pytest

from ovserve.errors import WrongDatatype, WrongShape
from ovserve.tensors import ANY, BY_KSERVE, BY_OPENVINO, Dim, DType, Tensor, TensorSpec, list_text, shape_text


def spec(*dims: Dim) -> TensorSpec:
    return TensorSpec("x", DType.FP32, dims)


def tensor(*shape: int) -> Tensor:
    return Tensor(DType.FP32, np.zeros(shape, np.float32))


def test_every_datatype_has_one_name_in_each_language() -> None:
    assert len(BY_KSERVE) == len(BY_OPENVINO) == len(DType) == 14


@pytest.mark.parametrize(
    ("dim", "admitted", "refused"),
    [
        (ANY, [0, 1, 42], [-42]),
        (Dim(1, 2), [1, 2], [0, 3, -1]),
        (Dim(10, 20), [10, 20], [2, 22, -1]),
        (Dim(0, 20), [0], [21]),
        (Dim(0, 0), [0], [1]),
        (Dim(5, None), [5, 500], [4]),
    ],
)
def test_a_dimension_admits_its_range_only(dim: Dim, admitted: list[int], refused: list[int]) -> None:
    assert all(dim.admits(length) for length in admitted)
    assert not any(dim.admits(length) for length in refused)


def test_a_shape_prints_static_any_and_ranges() -> None:
    dims = (Dim(1, 1), Dim(0, 3), Dim(5, 5), Dim(10, 20), ANY, Dim(3, 3), Dim(2, None))
    assert shape_text(dims) == "[1,[0~3],5,[10~20],-1,3,[2~]]"


def test_metadata_shows_minus_one_where_a_length_may_vary() -> None:
    assert spec(Dim(1, 1), ANY, Dim(200, 500)).wire_shape == [1, -1, -1]


def test_a_tensor_that_fits_matches() -> None:
    spec(ANY, Dim(3, 3)).match(tensor(7, 3), "model 'm'")


def test_any_rank_matches_every_shape() -> None:
    TensorSpec("x", DType.FP32, None).match(tensor(), "model 'm'")


def test_a_wrong_datatype_names_both() -> None:
    with pytest.raises(WrongDatatype, match="model 'm': input 'x' expects datatype FP32, got FP64"):
        spec(ANY).match(Tensor(DType.FP64, np.zeros(1)), "model 'm'")


def test_a_wrong_rank_names_both_shapes() -> None:
    with pytest.raises(WrongShape, match=r"expects 2 dimensions \[-1,4\], got 1: \[4\]"):
        spec(ANY, Dim(4, 4)).match(tensor(4), "model 'm'")


def test_a_wrong_length_names_both_shapes() -> None:
    with pytest.raises(WrongShape, match=r"model 'm': input 'x' expects shape \[-1,4\], got \[2,5\]"):
        spec(ANY, Dim(4, 4)).match(tensor(2, 5), "model 'm'")


def test_an_absurdly_long_shape_is_cut() -> None:
    assert list_text(range(100), limit=3) == "[0,1,2,... 100 dimensions]"
