"""Which requests run together next: a table of queues, without threads and clocks."""

from dataclasses import dataclass
from math import inf

import pytest

from ovserve.serving.batching.grouping import Rules, next_group

NOW_S = 100.0
DELAY_S = 1.0


@dataclass(frozen=True)
class Asked:
    """A request that came `age_s` ago, and whose time is over in `left_s`."""

    name: str
    rows: int = 1
    key: str = "x"
    level: int = 0
    age_s: float = 0.0
    left_s: float = inf
    delays: bool = False

    @property
    def since_s(self) -> float:
        return NOW_S - self.age_s

    @property
    def until_s(self) -> float:
        return NOW_S + self.left_s


def group(
    *queue: Asked, most: int = 4, preferred: tuple[int, ...] = (), delay_s: float = 0, order: bool = False
) -> str:
    found = next_group(queue, NOW_S, Rules(most, frozenset(preferred), delay_s, order))
    return "".join(asked.name for asked in found)


def ones(names: str, **fields: float | str) -> list[Asked]:
    return [Asked(name, **fields) for name in names]


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ([], ""),
        (ones("a"), "a"),
        (ones("abc"), "abc"),
        (ones("abcdef"), "abcd"),
        ([Asked("a", 3), Asked("b", 2), Asked("c", 1)], "ac"),
        ([Asked("a", 7), Asked("b")], "a"),
        ([Asked("a"), Asked("b", key="y"), Asked("c")], "ac"),
    ],
    ids=[
        "nobody",
        "one",
        "three",
        "more than most",
        "what there is room for",
        "too large for any",
        "of the same shape",
    ],
)
def test_without_a_delay_all_that_there_is_room_for_run(queue: list[Asked], expected: str) -> None:
    assert group(*queue) == expected


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (ones("abcde"), "abcd"),
        (ones("abc"), "ab"),
        (ones("a"), "a"),
        ([Asked("a", 3), Asked("b", 1)], "ab"),
        ([Asked("a", 3), Asked("b", 2)], "ab"),
    ],
    ids=["the largest", "a smaller one", "none", "with several rows", "none, so all"],
)
def test_the_largest_preferred_group_runs(queue: list[Asked], expected: str) -> None:
    assert group(*queue, most=8, preferred=(2, 4)) == expected


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (ones("abc", age_s=0.9), ""),
        (ones("abcd"), "abcd"),
        ([Asked("a", age_s=1.0), *ones("bc")], "abc"),
        ([Asked("a", 3), Asked("b", 2)], "a"),
        ([Asked("a"), *ones("bcde", key="y")], "bcde"),
        ([Asked("a", key="y"), Asked("b", age_s=1.0)], "b"),
    ],
    ids=["not yet", "full", "the oldest waited", "cannot grow", "another shape is full", "another shape waited"],
)
def test_with_a_delay_a_group_waits_until_it_is_full_or_one_has_waited(queue: list[Asked], expected: str) -> None:
    assert group(*queue, delay_s=DELAY_S) == expected


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (ones("a"), ""),
        (ones("ab"), "ab"),
        (ones("abc"), "ab"),
        ([Asked("a", age_s=1.0), *ones("bc")], "abc"),
    ],
    ids=["not yet", "preferred", "the rest waits", "the oldest waited, so all run"],
)
def test_with_both_a_preferred_group_runs_at_once(queue: list[Asked], expected: str) -> None:
    assert group(*queue, most=8, preferred=(2,), delay_s=DELAY_S) == expected


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ([Asked("a"), Asked("b", key="y"), Asked("c")], "a"),
        ([Asked("a", 3), Asked("b", 2), Asked("c", 1)], "a"),
        (ones("abc"), "abc"),
    ],
    ids=["another shape", "no room", "alike"],
)
def test_to_keep_the_order_nobody_is_passed(queue: list[Asked], expected: str) -> None:
    assert group(*queue, order=True) == expected


def test_a_group_that_keeps_the_order_waits_for_its_delay_too() -> None:
    assert group(*ones("ab"), delay_s=DELAY_S, order=True) == ""


def test_urgent_requests_go_first() -> None:
    assert group(Asked("a", level=2), Asked("b", level=1), Asked("c", level=3), most=2) == "ba"


def test_who_is_out_of_time_is_lost_or_goes_behind_its_own_level() -> None:
    late = Asked("a", level=1, left_s=0)
    assert group(late, Asked("b", level=1), Asked("c", level=2), most=2) == "bc"
    delayed = Asked("a", level=1, left_s=0, delays=True)
    assert group(delayed, Asked("b", level=1), Asked("c", level=2), most=2) == "ba"
    assert group(late) == ""
    assert group(delayed) == "a"
