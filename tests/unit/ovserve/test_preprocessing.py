"""The vectors of spec N.5, and that what is printed reads the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovserve.config.preprocessing import (
    COLOR_FORMATS,
    PRECISIONS,
    Conversion,
    Numbers,
    parse_color_format,
    parse_divisors,
    parse_numbers,
    parse_precision,
    show_color_format,
    show_numbers,
    show_precision,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[123.675,116.28,103.53]", (123.675, 116.28, 103.53)),
        ("(123.675,116.28,103.53)", (123.675, 116.28, 103.53)),
        ("  [   0.0 , 255.0 ,128.5  ] ", (0.0, 255.0, 128.5)),
        ("1.0", 1.0),
        ("-1e-3", -0.001),
        ("[127]", (127.0,)),
    ],
)
def test_numbers_are_one_or_one_per_channel(text: str, numbers: Numbers) -> None:
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        *("[123.675;116.28;103.53]", "[123.675,abc,103.53]", "{123.675,116.28,103.53}", "123.675,116.28,103.53"),
        *("", "[]", "[1,]", "[1)", "(1]", "nan", "inf", "1e999", "[", "1 2", "²"),
    ],
)
def test_what_are_no_numbers_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number, nor a list of numbers such as"):
        parse_numbers(text)


@pytest.mark.parametrize("text", ["0", "[1,0.0,2]"])
def test_nothing_is_divided_by_zero(text: str) -> None:
    with pytest.raises(ValueError, match="divides by zero"):
        parse_divisors(text)


@pytest.mark.parametrize(
    ("text", "model", "client"),
    [("RGB:BGR", "RGB", "BGR"), ("gray:nv12", "GRAY", "NV12"), (" rgb : i420_3 ", "RGB", "I420_3")],
)
def test_in_a_color_format_the_client_comes_second(text: str, model: str, client: str) -> None:
    assert parse_color_format(text) == Conversion(client=client, model=model)


@pytest.mark.parametrize("text", ["RGB", "RGB::BGR", ":RGB", "BGR:", "RGB:BGR:RGB", "RGB:XYZ", ""])
def test_what_is_no_color_format_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a color format: expected two of RGB BGR GRAY"):
        parse_color_format(text)


@pytest.mark.parametrize(
    ("text", "client", "model"), [("FP32:FP64", "FP32", "FP64"), ("Int16:UInt16", "INT16", "UINT16")]
)
def test_in_a_precision_the_client_comes_first(text: str, client: str, model: str) -> None:
    assert parse_precision(text) == Conversion(client=client, model=model)


@pytest.mark.parametrize(
    "text", ["FLOAT32", "int8", "FP32-FP64", "FP32::FP64", "FP32:", ":FP64", "FP32:FP16:INT8", "FP32:INT1"]
)
def test_what_is_no_precision_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a precision: expected two of BF16 FP64"):
        parse_precision(text)


FLOATS = st.floats(-1e30, 1e30, allow_subnormal=False)


@given(FLOATS | st.lists(FLOATS, min_size=1, max_size=4).map(tuple))
def test_numbers_printed_read_the_same(numbers: Numbers) -> None:
    assert parse_numbers(show_numbers(numbers)) == numbers


@given(st.sampled_from(COLOR_FORMATS), st.sampled_from(COLOR_FORMATS))
def test_a_color_format_printed_reads_the_same(client: str, model: str) -> None:
    conversion = Conversion(client, model)
    assert parse_color_format(show_color_format(conversion)) == conversion


@given(st.sampled_from(PRECISIONS), st.sampled_from(PRECISIONS))
def test_a_precision_printed_reads_the_same(client: str, model: str) -> None:
    conversion = Conversion(client, model)
    assert parse_precision(show_precision(conversion)) == conversion
