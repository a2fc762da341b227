"""Strings for models that take rows of bytes (spec E.5, N.9)."""

import pytest

from ovserve.engine.padded_strings import pad, takes_strings
from ovserve.errors import WrongContent, WrongShape
from ovserve.tensors import ANY, Dim, DType, Tensor, TensorSpec
from wire_server import texts

WORDS = Tensor(DType.BYTES, texts(b"String_123", b"zebra", b""))


def spec(rows: Dim, columns: Dim) -> TensorSpec:
    return TensorSpec("x", DType.UINT8, (rows, columns), None, 0)


def test_rows_are_as_wide_as_the_longest_and_a_zero() -> None:
    rows = pad(spec(ANY, ANY), WORDS, "model 'm'").data
    assert rows.shape == (3, 11)
    assert [bytes(row) for row in rows] == [b"String_123\0", b"zebra" + b"\0" * 6, b"\0" * 11]


def test_a_wider_model_gets_more_zeros() -> None:
    assert pad(spec(Dim(3, 3), Dim(16, 16)), WORDS, "model 'm'").shape == (3, 16)


@pytest.mark.parametrize(("rows", "columns"), [(Dim(2, 2), ANY), (ANY, Dim(10, 10)), (ANY, Dim(1, 8))])
def test_what_does_not_fit_is_refused_in_ovmss_words(rows: Dim, columns: Dim) -> None:
    words = (
        f"model 'm': Invalid input shape - Expected batch size: {rows}; got: 3; "
        f"Expected max null terminated string length: {columns}; got: 11; input name: x"
    )
    with pytest.raises(WrongShape) as raised:
        pad(spec(rows, columns), WORDS, "model 'm'")
    assert str(raised.value) == words


def test_a_gigabyte_is_the_most() -> None:
    with pytest.raises(WrongContent, match="expected at most 1073741824"):
        pad(spec(ANY, ANY), Tensor(DType.BYTES, texts(b"x" * (1 << 20), *[b""] * 1024)), "model 'm'")


def test_only_rows_of_bytes_take_strings() -> None:
    assert takes_strings(spec(ANY, ANY))
    assert not takes_strings(TensorSpec("x", DType.UINT8, (ANY,)))
    assert not takes_strings(TensorSpec("x", DType.INT8, (ANY, ANY)))
