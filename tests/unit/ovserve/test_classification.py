"""The highest values of a tensor, as texts."""

import numpy as np
import pytest

from ovserve.classification import check, classify
from ovserve.errors import InvalidInput, WrongTensors
from ovserve.tensors import ANY, BY_KSERVE, DType, Tensor, TensorSpec


def classes(
    values: object, count: int, names: tuple[bytes, ...] = (), kind: str = "FP32", *, rows: bool = False
) -> object:
    dtype = BY_KSERVE[kind]
    found = classify(Tensor(dtype, np.array(values, dtype.numpy)), count, names, "it", has_rows=rows)
    assert found.dtype is DType.BYTES
    return found.data.tolist()


def test_the_highest_come_first_with_their_places() -> None:
    assert classes([0.1, 0.7, 0.2], 2) == [b"0.700000:1", b"0.200000:2"]


def test_names_follow_where_there_are_some() -> None:
    assert classes([1, 3, 2], 3, (b"cat", b"dog")) == [b"3.000000:1:dog", b"2.000000:2", b"1.000000:0:cat"]


def test_each_row_has_its_own() -> None:
    assert classes([[1, 2], [4, 3]], 1, rows=True) == [[b"2.000000:1"], [b"4.000000:0"]]


def test_without_rows_all_dimensions_are_one_list() -> None:
    assert classes([[1, 2], [4, 3]], 1) == [b"4.000000:2"]


def test_what_is_behind_the_rows_is_one_list_each() -> None:
    assert classes([[[1, 2], [4, 3]]], 2, rows=True) == [[b"4.000000:2", b"3.000000:3"]]


def test_there_are_no_more_than_values() -> None:
    assert classes([5, 6], 9, kind="INT64") == [b"6:1", b"5:0"]
    assert classes(np.zeros((2, 0)), 9, rows=True) == [[], []]
    assert classes(np.zeros((0, 2)), 9, rows=True) == []


def test_of_equal_values_the_first_comes_first() -> None:
    assert classes([2, 1, 2, 2], 3, kind="INT32") == [b"2:0", b"2:2", b"2:3"]


def test_what_is_not_a_number_comes_last() -> None:
    assert classes([np.nan, 1, -np.inf], 3)[0] == b"1.000000:1"


@pytest.mark.parametrize("kind", ["UINT8", "UINT64", "INT8", "FP16", "FP64"])
def test_every_kind_of_number_has_classes(kind: str) -> None:
    assert [text.split(b":")[1] for text in classes([3, 100, 0], 3, kind=kind)] == [b"1", b"0", b"2"]


def test_the_highest_whole_numbers_are_exact() -> None:
    assert classes([2**64 - 2, 2**64 - 1], 1, kind="UINT64") == [b"18446744073709551615:1"]


def test_bf16_is_read_as_such() -> None:
    bits = (np.array([1.5, -2, 3], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    assert classes(bits, 1, kind="BF16") == [b"3.000000:2"]


@pytest.mark.parametrize("kind", ["BOOL", "BYTES"])
def test_what_is_no_number_has_no_classes(kind: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^it has datatype {kind}, of which there is no classification$"):
        classes([0], 1, kind=kind)


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_class_is_refused(count: int) -> None:
    with pytest.raises(InvalidInput, match=rf"^m: output 'y': classification expects 1 or more classes, got {count}$"):
        check({"y": count}, [TensorSpec("y", DType.FP32, (ANY,))], "m")


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(WrongTensors, match=r"^m has no output 'z'; it has 'y'$"):
        check({"z": 1}, [TensorSpec("y", DType.FP32, (ANY,))], "m")
