from collections import Counter

from ovserve.bench.schedule import steps


def order(slices: int, clients: list[int], matched: frozenset[int] = frozenset()) -> list[tuple[int, int, str]]:
    return [(step.index, step.clients, step.kind) for step in steps(slices, clients, matched)]


def test_the_three_kinds_of_a_slice_are_measured_next_to_each_other() -> None:
    assert order(1, [4]) == [(0, 4, "limit"), (0, 4, "echo"), (0, 4, "served")]


def test_each_slice_begins_with_another_kind_and_another_number_of_clients() -> None:
    assert order(3, [1, 4])[::3] == [
        (0, 1, "limit"),
        (0, 4, "limit"),
        (1, 4, "echo"),
        (1, 1, "echo"),
        (2, 1, "served"),
        (2, 4, "served"),
    ]


def test_everything_is_measured_as_often_as_asked() -> None:
    counts = Counter((clients, kind) for _, clients, kind in order(7, [1, 4]))
    assert set(counts.values()) == {7}


def test_a_number_of_clients_below_what_the_limit_needs_gets_a_limit_of_its_own() -> None:
    assert order(1, [1, 4], frozenset({1})) == [
        (0, 1, "limit"),
        (0, 1, "matched"),
        (0, 1, "echo"),
        (0, 1, "served"),
        (0, 4, "limit"),
        (0, 4, "echo"),
        (0, 4, "served"),
    ]
