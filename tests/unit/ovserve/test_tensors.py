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
    assert shape_text(dims) == "(1,[0~3],5,[10~20],-1,3,[2~])"


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
    with pytest.raises(
        WrongShape, match=r"model 'm': .* dimensions - Expected: \(-1,4\); Actual: \(4\); input name: x"
    ):
        spec(ANY, Dim(4, 4)).match(tensor(4), "model 'm'")


def test_a_wrong_length_names_both_shapes() -> None:
    with pytest.raises(
        WrongShape, match=r"Invalid input shape - Expected: \(-1,\[4~8\]\); Actual: \(2,9\); input name: x"
    ):
        spec(ANY, Dim(4, 8)).match(tensor(2, 9), "model 'm'")


BATCH_OF_4 = TensorSpec("x", DType.FP32, (Dim(4, 4), Dim(3, 3)), batch_axis=0)


def test_a_wrong_batch_alone_is_told_as_such() -> None:
    with pytest.raises(
        WrongShape, match=r"model 'm': Invalid input batch size - Expected: 4; Actual: 5; input name: x"
    ):
        BATCH_OF_4.match(tensor(5, 3), "model 'm'")


def test_a_wrong_batch_among_others_shows_the_whole_shape() -> None:
    with pytest.raises(WrongShape, match=r"Invalid input shape - Expected: \(4,3\); Actual: \(5,5\)"):
        BATCH_OF_4.match(tensor(5, 5), "model 'm'")


@pytest.mark.parametrize(("low", "high"), [(-2, -2), (-1, 0), (1, -1), (2, 1), (5, 4)])
def test_bounds_that_admit_nothing_are_no_dimension(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="no length is from"):
        Dim(low, high)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Dim(1, 2), ANY, Dim(1, 2)),
        (Dim(1, 2), Dim(2, 3), Dim(2, 2)),
        (Dim(15, 25), Dim(10, 20), Dim(15, 20)),
        (Dim(1, 2), Dim(3, 4), None),
        (Dim(1, 2), Dim(3, 3), None),
        (Dim(0, 8), Dim(5, 10), Dim(5, 8)),
        (Dim(0, 8), Dim(15, 20), None),
        (ANY, ANY, ANY),
        (ANY, Dim(7, 7), Dim(7, 7)),
        (Dim(3, 5), Dim(4, 4), Dim(4, 4)),
        (Dim(7, 10), Dim(8, 13), Dim(8, 10)),
        (Dim(11, 19), Dim(3, 13), Dim(11, 13)),
    ],
)
def test_the_intersection_admits_what_both_do(one: Dim, other: Dim, both: Dim | None) -> None:
    assert one.intersection(other) == other.intersection(one) == both


def test_an_absurdly_long_shape_is_cut() -> None:
    assert list_text(range(100), limit=3) == "[0,1,2,... 100 dimensions]"
    assert shape_text(range(100), limit=3) == "(0,1,2,... 100 dimensions)"


def test_free_dimensions_may_have_any_length() -> None:
    spec = TensorSpec("x", DType.FP32, (Dim(1, 1), Dim(3, 3)))
    tensor = Tensor(DType.FP32, np.zeros((7, 3), np.float32))
    spec.match(tensor, "model 'm' version 1", {0})
    assert (spec.admits((1, 3)), spec.admits((7, 3)), spec.admits((3,))) == (True, False, False)
    with pytest.raises(WrongShape, match=r"Expected: \(1,3\); Actual: \(7,3\)"):
        spec.match(tensor, "model 'm' version 1", {1})
    with pytest.raises(WrongShape, match="number of shape dimensions"):
        spec.match(Tensor(DType.FP32, np.zeros(3, np.float32)), "model 'm' version 1", {0, 1})


def test_any_rank_admits_any_shape() -> None:
    assert TensorSpec("x", DType.FP32, None).admits((1, 2, 3))
