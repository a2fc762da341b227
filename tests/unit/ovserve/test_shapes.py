"""The vectors of spec N.1 and N.2, and that what is printed reads the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovserve.config.shapes import (
    AUTO,
    MOST,
    BatchSetting,
    Shapes,
    ShapeSetting,
    parse_batch_size,
    parse_shape,
    parse_shapes,
    show_batch_size,
    show_shape,
    show_shapes,
)
from ovserve.tensors import ANY, Dim


def dims(*lengths: int | tuple[int, int]) -> tuple[Dim, ...]:
    """-1 is any, a pair is a range."""
    return tuple(ANY if n == -1 else Dim(*n) if isinstance(n, tuple) else Dim(n, n) for n in lengths)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("auto", AUTO),
        (" auto ", AUTO),
        ("(1,3,224,224)", dims(1, 3, 224, 224)),
        ("(64,128,256,   300)", dims(64, 128, 256, 300)),
        ("   (     64 , 300   )   ", dims(64, 300)),
        ("(0,0)", dims(0, 0)),
        ("(7)", dims(7)),
        ("(64:128,128,256:512,300:301)", dims((64, 128), 128, (256, 512), (300, 301))),
        ("(0:20)", dims((0, 20))),
        ("( 1 , 200 : 500 )", dims(1, (200, 500))),
        ("(-1,3,224,224)", dims(-1, 3, 224, 224)),
        (f"({MOST})", dims(MOST)),
    ],
)
def test_a_shape_is_read(text: str, shape: ShapeSetting) -> None:
    assert parse_shape(text) == shape


@pytest.mark.parametrize(
    "text",
    [
        *("", "string", "Auto", "[1, 3, 43]", "[1:50, 300]", "[-1, 300]", "10", "1,2", "()", "( )", "(", ")", "((1))"),
        *("(1, 2, 3, 4]", "(1, 2, 3.14, 4)", "(auto, 2, 3, 4)", "(1,2,)", "(,1)", "(1 2)", "(1,2)(3)", "(²,1)"),
        *("(1,2221413523534234632463462346234562)", "(1,20,500000000000000000)", f"({MOST + 1})"),
        *("(9:10,,50)", "(:9,20,50)", "(9:,20,50)", "(9-30,20,50)", "(9..30,20,50)", "(9::30,20,50)", "(1:2:3)"),
        *("(-90:10,20,50)", "(?,20,50)", "(2.5:3,20,50)", "(--30,20,50)", "(-5,20,50)", "(5-,20,50)"),
        *("(200:200)", "(5:4)", "(-1:5)", "(1:-1)"),
    ],
)
def test_what_is_no_shape_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_shape(text)
    assert str(refusal.value) == (
        f"'{text}' is not a shape: expected auto, or lengths in round brackets such as (1,3,224,224), "
        "-1 for any length, 200:500 for a range"
    )


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("(1,2)", dims(1, 2)),
        ('{"input": "auto", "extra_input": "(10:20,-1)"}', {"input": AUTO, "extra_input": dims((10, 20), -1)}),
        (
            "{input1:(1,3,224,224),input2:(1,3,50,50)}",
            {"input1": dims(1, 3, 224, 224), "input2": dims(1, 3, 50, 50)},
        ),
        ("{ a : (1, 200:500) , b : auto }", {"a": dims(1, (200, 500)), "b": AUTO}),
        ("{'a': (1,2), \"b\": '(3)'}", {"a": dims(1, 2), "b": dims(3)}),
        ('{"x:0": "(1)"}', {"x:0": dims(1)}),
    ],
)
def test_shapes_are_one_or_by_input(text: str, shapes: Shapes) -> None:
    assert parse_shapes(text) == shapes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "the object names no tensor"),
        ("{a:(1,2)", "is an object without an end"),
        ('{"a": [1,2]}', "the value of 'a' must be text"),
        ('{"a": {"b": "(1)"}}', "the value of 'a' must be text"),
        ("{a:(1),a:(2)}", "'a' is named twice"),
        ('{"a":"(1)","a":"(2)"}', "'a' is named twice"),
        ("{a}", "'a' is not an entry of an object: expected NAME:VALUE"),
        ("{a:(1),}", "'' is not an entry"),
        ('{"input": "10"}', "'10' is not a shape"),
        ('{"input": "(9:10,,50)"}', "is not a shape"),
    ],
)
def test_what_is_no_object_of_shapes_is_told(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_shapes(text)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "batch"),
    [
        ("auto", AUTO),
        (" 24 ", Dim(24, 24)),
        (" 30:32 ", Dim(30, 32)),
        ("30:30", Dim(30, 30)),
        (" -1 ", ANY),
        ("0", Dim(0, 0)),
    ],
)
def test_a_batch_size_is_read(text: str, batch: BatchSetting) -> None:
    assert parse_batch_size(text) == batch


@pytest.mark.parametrize(
    "text",
    [
        *("", "word", ":9", "9:", "9-30", "9..30", "9::30", "-90:10", "?", "2.5:3", "500000000000000000"),
        *("(1)", "-2", "0:3", "9:8", "--1", "1 2"),
    ],
)
def test_what_is_no_batch_size_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_batch_size(text)
    assert str(refusal.value) == (
        f"'{text}' is not a batch size: expected a number, a range such as 1:8, -1 for any, or auto"
    )


LENGTHS = st.integers(0, MOST)
FIXED = LENGTHS.map(lambda n: Dim(n, n))
RANGES = st.tuples(LENGTHS, LENGTHS).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Dim(*sorted(pair)))
SHAPES = st.just(AUTO) | st.lists(FIXED | RANGES | st.just(ANY), min_size=1, max_size=8).map(tuple)
NAMES = st.text(min_size=1, max_size=20)


@given(SHAPES)
def test_a_shape_printed_reads_the_same(shape: ShapeSetting) -> None:
    assert parse_shape(show_shape(shape)) == shape


@given(SHAPES | st.dictionaries(NAMES, SHAPES, min_size=1, max_size=3))
def test_shapes_printed_read_the_same(shapes: Shapes) -> None:
    assert parse_shapes(show_shapes(shapes)) == shapes


@given(st.just(AUTO) | st.just(ANY) | FIXED | RANGES.filter(lambda dim: dim.low > 0))
def test_a_batch_size_printed_reads_the_same(batch: BatchSetting) -> None:
    assert parse_batch_size(show_batch_size(batch)) == batch


@given(st.text() | st.text("(){}[]-:,. 019auto\"'"))
def test_any_text_is_read_and_printed_or_refused(text: str) -> None:
    for parse, show in ((parse_shapes, show_shapes), (parse_batch_size, show_batch_size)):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert parse(show(value)) == value
