"""Which of the requests that streams were given run, and since when."""

import pytest

from ovserve.engine.stream_queue import StreamQueue


class Clock:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_request_that_finds_a_free_stream_has_not_waited(clock: Clock) -> None:
    queue = StreamQueue(1, clock)
    clock.now = 5
    place = queue.enter()
    clock.now = 9
    queue.leave(place)
    assert place.waited_ns == 0


def test_one_more_than_there_are_streams_waits_until_the_first_is_done(clock: Clock) -> None:
    queue = StreamQueue(2, clock)
    clock.now = 10
    first, second, third = queue.enter(), queue.enter(), queue.enter()
    clock.now = 17
    queue.leave(second)
    clock.now = 25
    for place in (first, third):
        queue.leave(place)
    assert [place.waited_ns for place in (first, second, third)] == [0, 0, 7]


def test_requests_begin_in_the_order_they_came(clock: Clock) -> None:
    queue = StreamQueue(1, clock)
    clock.now = 1
    places = [queue.enter() for _ in range(4)]
    for place in places:
        clock.now += 10
        queue.leave(place)
    assert [place.waited_ns for place in places] == [0, 10, 20, 30]


def test_one_whose_predecessor_was_not_seen_to_end_has_waited_for_those_that_were(clock: Clock) -> None:
    queue = StreamQueue(1, clock)
    clock.now = 1
    seen, before, after = queue.enter(), queue.enter(), queue.enter()
    clock.now = 4
    queue.leave(seen)
    clock.now = 9
    queue.leave(after)
    queue.leave(before)
    assert [place.waited_ns for place in (seen, before, after)] == [0, 3, 3]


def test_a_stream_is_free_again_after_all_have_left(clock: Clock) -> None:
    queue = StreamQueue(1, clock)
    clock.now = 1
    first, second = queue.enter(), queue.enter()
    queue.leave(second)
    queue.leave(first)
    clock.now = 3
    third, fourth = queue.enter(), queue.enter()
    clock.now = 8
    queue.leave(third)
    queue.leave(fourth)
    assert [third.waited_ns, fourth.waited_ns] == [0, 5]
