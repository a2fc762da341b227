"""What differs between two looks at the repository's index. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ovclient._types import ModelIndex


@dataclass(frozen=True, slots=True)
class Change:
    """One version's step from one state to another.

    `before` is None for what was not there before, `after` for what is gone; "" is a model that was never loaded.
    """

    name: str
    version: str
    before: str | None
    after: str | None
    reason: str


def changes(old: Sequence[ModelIndex], new: Sequence[ModelIndex]) -> list[Change]:
    """Changes of a state or its reason: what is new or different in the index's order, then what is gone.

    A model that was never loaded has one row without a version; its versions come out of that row.
    """
    before = {(row.name, row.version): row for row in old}
    after = {(row.name, row.version) for row in new}
    found = []
    for row in new:
        was = before.get((row.name, row.version)) or before.get((row.name, ""))
        if was is None or (was.state, was.reason) != (row.state, row.reason):
            state = None if was is None else was.state
            found.append(Change(row.name, row.version, state, row.state, row.reason))
    names = {row.name for row in new}
    gone = (row for row in old if (row.name, row.version) not in after and (row.version or row.name not in names))
    return [*found, *(Change(row.name, row.version, row.state, None, "") for row in gone)]


def sentence(change: Change) -> str:
    """A change as a line: `resnet version 2 LOADING -> READY`, and why."""
    what = f"{change.name} version {change.version}" if change.version else change.name
    states = _word(change.after)
    if change.before is not None and change.before != change.after:
        states = f"{_word(change.before)} -> {states}"
    return " ".join(f"{what} {states}{': ' if change.reason else ''}{change.reason}".split())


def _word(state: str | None) -> str:
    return "gone" if state is None else state or "not loaded"
