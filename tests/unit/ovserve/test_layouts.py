"""The vectors of spec N.4 as amended by decision O.2, and that what is printed reads the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovserve.config.layouts import (
    Layout,
    Layouts,
    LayoutSetting,
    parse_layout,
    parse_layouts,
    show_layout,
    show_layouts,
)


@pytest.mark.parametrize(
    ("text", "batch"),
    [
        ("NHWC", 0),
        ("HWCN", 3),
        ("NC", 0),
        ("CHW", None),
        ("N...", 0),
        ("N...CH", 0),
        ("??N...", 2),
        ("?C???N...", 5),
        ("...NC", None),
        ("...", None),
    ],
)
def test_the_batch_stands_where_n_does(text: str, batch: int | None) -> None:
    assert Layout(text).batch == batch


@pytest.mark.parametrize(
    "text",
    ["NCHWN", "N.C.H.W", "N..H.W", "NH.", "NHW..", "..NHW.", "N...N", "N...C...H", "N???N", "", "....", "X", "nchw"],
)
def test_what_is_no_layout_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a layout: expected letters of N C H W D once each"):
        Layout(text)


@pytest.mark.parametrize(
    ("text", "fitting", "unfitting"),
    [
        ("NCHW", [4], [5, 3]),
        ("NCHW...", [4, 5], [3]),
        ("N?HW...", [4], [3]),
        ("N...", [1, 4], [0]),
        ("NC...H", [3, 4], [2]),
        ("N...H", [2], [1]),
        ("N?HW", [4], [3, 5]),
        ("...", [0, 1, 9], []),
    ],
)
def test_a_layout_fits_its_rank(text: str, fitting: list[int], unfitting: list[int]) -> None:
    assert all(Layout(text).fits(rank) for rank in fitting)
    assert not any(Layout(text).fits(rank) for rank in unfitting)


@pytest.mark.parametrize(
    ("one", "other", "rank", "both"),
    [
        ("N...", "NCHW", 4, "NCHW"),
        ("NC??", "??DH", 4, "NCDH"),
        ("N...", "...D", 4, "N??D"),
        ("N?H...W?C", "...HWD?", 6, "N?HWDC"),
        ("...N", "...??N", 5, "????N"),
        ("N...C", "N...W", 4, None),
        ("...N", "N...", 2, None),
        ("...N", "N...", 10, None),
        ("NC??...", "...C", 5, None),
        ("NCHW", "N...", 3, None),
    ],
)
def test_the_intersection_says_what_both_do(one: str, other: str, rank: int, both: str | None) -> None:
    expected = None if both is None else Layout(both)
    assert Layout(one).intersection(Layout(other), rank) == expected
    assert Layout(other).intersection(Layout(one), rank) == expected


def setting(client: str, model: str | None = None) -> LayoutSetting:
    return LayoutSetting(Layout(client), None if model is None else Layout(model))


@pytest.mark.parametrize(
    ("text", "layouts"),
    [
        ("nchw", setting("NCHW")),
        (" Nhwc : ncHW ", setting("NHWC", "NCHW")),
        ("NHWC:NHWC", setting("NHWC", "NHWC")),
        ("n...", setting("N...")),
        (' { "input": "nchw:nhwc", "output": "nc" } ', {"input": setting("NCHW", "NHWC"), "output": setting("NC")}),
        ('{"input1":"NHWC", "output1":"NHWC"}', {"input1": setting("NHWC"), "output1": setting("NHWC")}),
        ("{input1:NHWC:NCHW,output1:CN}", {"input1": setting("NHWC", "NCHW"), "output1": setting("CN")}),
    ],
)
def test_layouts_are_one_or_by_tensor(text: str, layouts: Layouts) -> None:
    assert parse_layouts(text) == layouts


@pytest.mark.parametrize("text", ["nc::nc", ":nc:nc", "nc>nc", "nchw:nhwc:nchw", "nc:", ":nc", "{a:NX}", "{}", "{a:}"])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_layouts(text)


LAYOUTS = (
    st.lists(st.sampled_from(["N", "C", "H", "W", "D", "..."]), unique=True, min_size=1)
    .flatmap(lambda parts: st.permutations([*parts, "?"]))
    .map("".join)
    .map(Layout)
)
SETTINGS = st.builds(LayoutSetting, LAYOUTS, st.none() | LAYOUTS)


@given(SETTINGS)
def test_a_layout_printed_reads_the_same(layout: LayoutSetting) -> None:
    assert parse_layout(show_layout(layout)) == layout


@given(SETTINGS | st.dictionaries(st.text(min_size=1), SETTINGS, min_size=1, max_size=3))
def test_layouts_printed_read_the_same(layouts: Layouts) -> None:
    assert parse_layouts(show_layouts(layouts)) == layouts


@given(st.text() | st.text("NCHWDnchwd?.:{}, \"'ab"))
def test_any_text_is_read_and_printed_or_refused(text: str) -> None:
    try:
        layouts = parse_layouts(text)
    except ValueError:
        return
    assert parse_layouts(show_layouts(layouts)) == layouts
