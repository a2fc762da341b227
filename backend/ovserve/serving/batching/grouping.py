"""Which of the requests that wait run together next. Pure.

Source: Triton's dynamic batcher, as its model configuration describes it (spec K.3).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol, TypeVar

from ovserve.config.dynamic_batching import DynamicBatching

_US = 1e-6


class Waiting(Protocol):
    """A request in the queue: so many rows, which go with others of the same key.

    From `until_s` on its time is over; then it `delays`, that is goes behind the others of its level, or is lost.
    """

    @property
    def rows(self) -> int: ...
    @property
    def key(self) -> Hashable: ...
    @property
    def level(self) -> int: ...
    @property
    def since_s(self) -> float: ...
    @property
    def until_s(self) -> float: ...
    @property
    def delays(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Rules:
    """How groups are made, of at most `most` rows; one request alone may have more."""

    most: int
    preferred: frozenset[int]
    delay_s: float
    keeps_order: bool

    @property
    def full(self) -> int:
        """With so many rows a group waits for no more."""
        return max(self.preferred, default=self.most)


def rules(batching: DynamicBatching, most: int) -> Rules:
    return Rules(most, batching.preferred, batching.delay_us * _US, batching.keeps_order)


def next_group(queue: Sequence[W], now_s: float, rules: Rules) -> list[W]:
    """Pick those that run together now, the most urgent ones that may; nothing where all had better wait.

    `queue` is in the order of arrival. A group is the largest preferred one that can be made; where there is none,
    all that there is room for, as soon as it can grow no more or one of it has waited as long as others may be waited
    for. Requests of one key do not wait for the group of another, but where the order is to be kept.
    """
    ordered = _by_urgency(queue, now_s)
    if rules.keeps_order:
        return _due(*_in_a_row(ordered, rules), now_s, rules) if ordered else []
    seen: set[Hashable] = set()
    for waiting in ordered:
        if waiting.key not in seen:
            seen.add(waiting.key)
            group = _due(*_alike(ordered, waiting.key, rules), now_s, rules)
            if group:
                return group
    return []


def _by_urgency(queue: Sequence[W], now_s: float) -> list[W]:
    """Order by level, with those behind whose time is over; leave out those that are lost."""
    alive = [waiting for waiting in queue if waiting.delays or waiting.until_s > now_s]
    return sorted(alive, key=lambda waiting: (waiting.level, waiting.until_s <= now_s))


def _in_a_row(ordered: Sequence[W], rules: Rules) -> tuple[list[W], bool]:
    """Take from the front what goes together; tell whether it cannot grow."""
    group: list[W] = []
    rows = 0
    for waiting in ordered:
        if group and (waiting.key != group[0].key or rows + waiting.rows > rules.most):
            return group, True
        group.append(waiting)
        rows += waiting.rows
    return group, rows >= rules.full


def _alike(ordered: Sequence[W], key: Hashable, rules: Rules) -> tuple[list[W], bool]:
    """Take those of one key that there is room for; tell whether one was left that there is not."""
    group: list[W] = []
    rows = 0
    is_full = False
    for waiting in ordered:
        if waiting.key != key:
            continue
        if group and rows + waiting.rows > rules.most:
            is_full = True
            continue
        group.append(waiting)
        rows += waiting.rows
        if rows >= rules.most:
            break
    return group, is_full or rows >= rules.full


def _due(group: list[W], cannot_grow: bool, now_s: float, rules: Rules) -> list[W]:  # noqa: FBT001 - as it is found
    """Cut the group to the largest preferred one; nothing where it had better wait for more."""
    oldest_s = min((waiting.since_s for waiting in group), default=inf)
    is_late = rules.delay_s > 0 and now_s >= oldest_s + rules.delay_s
    count = 0
    if rules.preferred and not is_late:
        rows = 0
        for index, waiting in enumerate(group, 1):
            rows += waiting.rows
            if rows in rules.preferred:
                count = index
    if count:
        return group[:count]
    return group if cannot_grow or is_late or rules.delay_s == 0 else []
