import pytest

from ovclient import ModelIndex
from ovclient.cli.models_changes import Change, changes, sentence
from ovclient.cli.models_table import lines


def row(name: str, version: str = "1", state: str = "READY", reason: str = "") -> ModelIndex:
    return ModelIndex(name, version, state, reason)


def told(old: list[ModelIndex], new: list[ModelIndex]) -> list[str]:
    return [sentence(change) for change in changes(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        ([], [row("m"), row("n", "2", "LOADING")], ["m version 1 READY", "n version 2 LOADING"]),
        ([row("m")], [row("m")], []),
        ([row("m", "2", "LOADING")], [row("m", "2")], ["m version 2 LOADING -> READY"]),
        ([row("m")], [row("m", "1", "UNAVAILABLE", "unloaded")], ["m version 1 READY -> UNAVAILABLE: unloaded"]),
        (
            [row("m", "1", "UNAVAILABLE", "a")],
            [row("m", "1", "UNAVAILABLE", "b")],
            ["m version 1 UNAVAILABLE: b"],
        ),
        ([row("m"), row("n")], [row("n")], ["m version 1 READY -> gone"]),
        ([row("m", "1"), row("m", "2")], [row("m", "2"), row("m", "3")], ["m version 3 READY", "m version 1 READY -> gone"]),
        ([], [row("m", "", "")], ["m not loaded"]),
        ([row("m", "", "")], [row("m", "1", "LOADING")], ["m version 1 not loaded -> LOADING"]),
        ([row("m", "", "")], [], ["m not loaded -> gone"]),
        ([row("m")], [row("m", "", "")], ["m not loaded", "m version 1 READY -> gone"]),
        ([row("m", "", "UNAVAILABLE", "no version")], [row("m")], ["m version 1 UNAVAILABLE -> READY"]),
        ([], [row("m", "1", "UNAVAILABLE", "one\n two")], ["m version 1 UNAVAILABLE: one two"]),
    ],
)  # fmt: skip
def test_changes_are_told_in_one_line_each(old: list[ModelIndex], new: list[ModelIndex], sentences: list[str]) -> None:
    assert told(old, new) == sentences


def test_what_was_not_there_and_what_is_gone_have_no_state() -> None:
    assert changes([], [row("m")]) == [Change("m", "1", None, "READY", "")]
    assert changes([row("m", "1", "UNAVAILABLE", "broken")], []) == [Change("m", "1", "UNAVAILABLE", None, "")]


def test_the_table_is_aligned_and_every_row_is_one_line() -> None:
    index = [row("a-long-name", "12"), row("m", "", ""), row("n", "1", "UNAVAILABLE", "no\nweights")]
    assert lines(index) == [
        "name         version  state        reason",
        "a-long-name  12       READY",
        "m            -        -",
        "n            1        UNAVAILABLE  no weights",
    ]


def test_the_table_of_nothing_is_its_header() -> None:
    assert lines([]) == ["name  version  state  reason"]
