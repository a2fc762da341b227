"""The vectors of spec N.6, and that what is printed reads the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovserve.config.version_policy import (
    All,
    Latest,
    Specific,
    VersionPolicy,
    parse_version_policy,
    show_version_policy,
)

AVAILABLE = (3, 4, 5, 18, 25, 100)


@pytest.mark.parametrize(
    ("policy", "selected"),
    [
        (Latest(), [100]),
        (Latest(2), [100, 25]),
        (Latest(6), [100, 25, 18, 5, 4, 3]),
        (Latest(10), [100, 25, 18, 5, 4, 3]),
        (All(), [100, 25, 18, 5, 4, 3]),
        (Specific(frozenset({4, 25})), [25, 4]),
        (Specific(frozenset({1, 8, 28})), []),
        (Specific(frozenset({4, 5, 6, 7})), [5, 4]),
    ],
)
def test_a_policy_selects_highest_first(policy: VersionPolicy, selected: list[int]) -> None:
    assert policy.select(AVAILABLE) == selected


def test_nothing_available_is_nothing_selected() -> None:
    assert [policy.select([]) for policy in (Latest(3), All(), Specific(frozenset({1})))] == [[], [], []]


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ('{"latest": {"num_versions": 2}}', Latest(2)),
        (' { "latest" : { } } ', Latest(1)),
        ('{"all": {}}', All()),
        ('{"specific": {"versions": [1, 3, 3]}}', Specific(frozenset({1, 3}))),
        ('{"specific": {"versions": []}}', Specific(frozenset())),
    ],
)
def test_a_policy_is_read(text: str, policy: VersionPolicy) -> None:
    assert parse_version_policy(text) == policy


@pytest.mark.parametrize(
    "text",
    [
        *("", "latest", "{", "[]", "{}", "null", '"all"', "1", "[" * 100_000),
        *('{"newest": {}}', '{"all": {}, "latest": {}}', '{"all": {"x": 1}}', '{"all": []}', '{"all": null}'),
        *('{"latest": 2}', '{"latest": {"n": 2}}', '{"specific": {}}', '{"specific": {"versions": 1}}'),
        '{"specific": {"versions": [1], "x": 1}}',
    ],
)
def test_what_is_no_policy_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_version_policy(text)
    assert str(refusal.value).startswith(
        f"""'{text}' is not a version policy: expected one of {{"latest": {{"num_versions": 2}}}}, """
        """{"all": {}} and {"specific": {"versions": [1, 3]}}"""
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"latest": {"num_versions": 0}}', "num_versions must be a whole number from 1, got 0"),
        ('{"latest": {"num_versions": true}}', "num_versions must be a whole number from 1, got true"),
        ('{"latest": {"num_versions": "2"}}', 'num_versions must be a whole number from 1, got "2"'),
        ('{"specific": {"versions": [1, -1]}}', "each of versions must be a whole number from 1, got -1"),
        ('{"specific": {"versions": [1.5]}}', "each of versions must be a whole number from 1, got 1.5"),
        ('{"all": {}, "all": {}}', "a version policy names a key twice"),
    ],
)
def test_what_is_wrong_inside_is_told(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_version_policy(text)
    assert str(refusal.value) == sentence


NUMBERS = st.integers(1, 1 << 63)
POLICIES = st.builds(All) | st.builds(Latest, NUMBERS) | st.builds(Specific, st.frozensets(NUMBERS, max_size=5))


@given(POLICIES)
def test_a_policy_printed_reads_the_same(policy: VersionPolicy) -> None:
    assert parse_version_policy(show_version_policy(policy)) == policy


@given(POLICIES, st.sets(NUMBERS))
def test_what_is_selected_is_available(policy: VersionPolicy, available: set[int]) -> None:
    selected = policy.select(available)
    assert set(selected) <= available
    assert selected == sorted(selected, reverse=True)
