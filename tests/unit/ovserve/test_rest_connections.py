"""Who has a place among REST's connections, and who makes room."""

from ovserve.frontends.rest.connections import MOST_LEAVING, Connections


class Guest:
    def __init__(self) -> None:
        self.told = ""

    def ask_to_leave(self) -> None:
        self.told = "asked"

    def throw_out(self) -> None:
        self.told = "thrown out"


def guests(count: int) -> list[Guest]:
    return [Guest() for _ in range(count)]


def test_the_longest_wait_makes_room() -> None:
    places, (first, second, third) = Connections(2), guests(3)
    assert places.enter(first)
    assert places.enter(second)
    places.begin(first)
    places.end(first)
    assert places.enter(third)
    assert (first.told, second.told, third.told) == ("", "asked", "")


def test_who_is_being_answered_keeps_the_place() -> None:
    places, (first, second, late) = Connections(2), guests(3)
    for guest in (first, second):
        places.enter(guest)
        places.begin(guest)
    assert not places.enter(late)
    assert (first.told, second.told, late.told) == ("", "", "")


def test_who_ends_leaves_a_place() -> None:
    places, (first, second) = Connections(1), guests(2)
    places.enter(first)
    places.begin(first)
    places.leave(first)
    assert places.enter(second)


def test_of_too_many_that_leave_the_first_is_thrown_out() -> None:
    places, busy, late = Connections(1), Guest(), guests(MOST_LEAVING + 1)
    places.enter(busy)
    places.begin(busy)
    assert not any(places.enter(guest) for guest in late)
    assert [guest.told for guest in late] == ["thrown out"] + [""] * MOST_LEAVING


def test_one_without_a_place_gets_none_by_being_answered() -> None:
    places, (busy, late, next_one) = Connections(1), guests(3)
    places.enter(busy)
    places.begin(busy)
    places.enter(late)
    places.begin(late)
    places.end(late)
    assert not places.enter(next_one)
