"""Versions that could not be loaded, and when each is tried again."""

from collections.abc import Callable, Container
from dataclasses import dataclass

from ovserve.serving.desired import Name, Wanted

_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """`told` says whether it was an alarm already."""

    wanted: Wanted
    cause: str
    times: int
    retry_s: float
    told: bool


class Failures:
    """Knows what failed as it is; a change of files or settings makes it something else, which may be tried at once.

    `retries` says whether what stays the same is tried again, after 1, 2, 4, ... and at most 60 s.
    """

    def __init__(self, clock: Callable[[], float], *, retries: bool) -> None:
        self._clock = clock
        self._retries = retries
        self._failures: dict[Name, Failure] = {}

    def add(self, name: Name, wanted: Wanted, cause: str, *, alarm: bool) -> bool:
        """Record a failure; tell whether it is news: an alarm that was not raised for this cause yet."""
        before = self._failures.get(name)
        if before is not None and before.wanted != wanted:
            before = None
        times = 1 if before is None else before.times + 1
        retry_s = self._clock() + min(_FIRST_RETRY_S * 2 ** (times - 1), _LONGEST_RETRY_S)
        was_told = before is not None and before.told and before.cause == cause
        self._failures[name] = Failure(wanted, cause, times, retry_s, alarm or was_told)
        return alarm and not was_told

    def has(self, name: Name, wanted: Wanted) -> bool:
        """Tell whether this failed as it is now."""
        failure = self._failures.get(name)
        return failure is not None and failure.wanted == wanted

    def may_try(self, name: Name, wanted: Wanted) -> bool:
        failure = self._failures.get(name)
        if failure is None or failure.wanted != wanted:
            return True
        return self._retries and self._clock() >= failure.retry_s

    def of(self, model: str) -> dict[int, str]:
        """The causes by version."""
        return {version: failure.cause for (name, version), failure in self._failures.items() if name == model}

    @property
    def causes(self) -> dict[Name, str]:
        return {name: failure.cause for name, failure in self._failures.items()}

    def next_retry_s(self, passed_over: Container[Name]) -> float | None:
        """In how many seconds the next one is due; None if nothing is."""
        times_s = [failure.retry_s for name, failure in self._failures.items() if name not in passed_over]
        return max(0.0, min(times_s) - self._clock()) if times_s and self._retries else None

    def forget(self, name: Name) -> None:
        self._failures.pop(name, None)

    def forget_model(self, model: str) -> None:
        self.keep({name for name in self._failures if name[0] != model})

    def keep(self, names: Container[Name]) -> None:
        """Forget all others."""
        self._failures = {name: failure for name, failure in self._failures.items() if name in names}
