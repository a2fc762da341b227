"""Which process gets which connection."""

import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ovserve.workers.crew.connections import Connections


class FakeWorker:
    """Takes sockets, or none."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.given = 0

    def send_file(self, head: Mapping[str, Any], file: int) -> bool:
        assert (head, file >= 0) == ({"kind": "connection"}, True)
        self.given += self.takes
        return self.takes


class Doors:
    """The server with `count` workers, and sockets that are accepted."""

    def __init__(self, most: int, *workers: FakeWorker) -> None:
        self.here: list[socket.socket] = []
        self.connections = Connections(most)
        self.connections.adopt_with(self.here.append)
        self.workers = workers
        for worker in workers:
            self.connections.joined(worker)

    def accept(self, count: int) -> tuple[int, ...]:
        """Let so many in; how many each has got, the server first."""
        for _ in range(count):
            ours, theirs = socket.socketpair()
            theirs.close()
            self.connections.hand(ours)
            if ours not in self.here:
                assert ours.fileno() < 0  # closed here: whoever got it has a descriptor of its own
        return len(self.here), *(worker.given for worker in self.workers)


@pytest.fixture
def doors() -> Iterator[Doors]:
    made = Doors(100, FakeWorker(), FakeWorker())
    yield made
    for each in made.here:
        each.close()


def test_connections_are_spread_evenly(doors: Doors) -> None:
    assert doors.accept(3) == (1, 1, 1)
    assert doors.accept(6) == (3, 3, 3)


def test_whoever_has_the_fewest_gets_the_next(doors: Doors) -> None:
    doors.accept(6)
    for _ in range(2):
        doors.connections.closed(doors.workers[1])
    assert doors.accept(2) == (2, 2, 4)
    doors.connections.closed()
    assert doors.accept(1) == (3, 2, 4)


def test_a_worker_that_has_left_gets_none(doors: Doors) -> None:
    doors.connections.left(doors.workers[0])
    doors.connections.closed(doors.workers[0])  # may be told late
    assert doors.accept(4) == (2, 0, 2)


def test_a_worker_that_comes_later_is_filled_up(doors: Doors) -> None:
    doors.accept(6)
    doors.workers = (*doors.workers, FakeWorker())
    doors.connections.joined(doors.workers[2])
    assert doors.accept(2) == (2, 2, 2, 2)


def test_one_that_takes_none_is_passed_over(doors: Doors) -> None:
    doors.workers[0].takes = False
    assert doors.accept(4) == (2, 0, 2)


def test_the_bound_holds_for_all_together() -> None:
    doors = Doors(3, FakeWorker())
    assert doors.accept(5) == (2, 1)
    doors.connections.closed(doors.workers[0])
    assert doors.accept(5) == (2, 2)
    for each in doors.here:
        each.close()
