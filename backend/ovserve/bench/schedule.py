"""What is measured when. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

# "matched" is the limit for as many requests in flight as there are clients, where the limit itself needs more.
Kind = Literal["limit", "matched", "echo", "served"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One slice of one kind."""

    index: int
    clients: int
    kind: Kind


def steps(slices: int, clients: Sequence[int], matched: frozenset[int]) -> Iterator[Step]:
    """Alternate the kinds; each round starts with another, so that none always comes first.

    `matched` names the client counts whose limit has more requests in flight than they can have.
    """
    for index in range(slices):
        for count in rotated(clients, index):
            kinds: list[Kind] = ["limit", "echo", "served"]
            if count in matched:
                kinds.insert(1, "matched")
            for kind in rotated(kinds, index):
                yield Step(index, count, kind)


def rotated(items: Sequence[T], by: int) -> list[T]:
    """Begin with another one in each round."""
    start = by % len(items)
    return [*items[start:], *items[:start]]
