"""Which versions of which models exist, and what state each is in."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

from ovserve.errors import NotFound, NotReady
from ovserve.serving.servable import Servable


class State(Enum):
    """The life of a version (spec section D); a failed load stays LOADING with its cause."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """`cause` says why a version failed, in words fit for clients; a version that is AVAILABLE has its `servable`.

    `note` says of one that is AVAILABLE why it is served otherwise than asked for, of one that is LOADING what it still
    lacks.
    """

    state: State
    servable: Servable | None = None
    cause: str | None = None
    note: str | None = None


Versions = Mapping[int, VersionStatus]
_NONE: Versions = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """A model by name; `removed` says that it is not configured any more.

    `cause` says what is wrong with it as a whole: why no version was even found or, where some are served, why not as
    they are configured now.
    """

    versions: Versions = field(default_factory=lambda: _NONE)
    cause: str | None = None
    removed: bool = False

    @property
    def available(self) -> dict[int, Servable]:
        """The versions that answer, highest first."""
        return {
            number: status.servable
            for number, status in sorted(self.versions.items(), reverse=True)
            if status.state is State.AVAILABLE and status.servable is not None
        }

    @property
    def is_whole(self) -> bool:
        """Whether all that should be served of it is: what Triton's strict readiness asks of a model."""
        if self.removed:
            return True
        if any(status.state in {State.START, State.LOADING} for status in self.versions.values()):
            return False
        return bool(self.available) or (bool(self.versions) and self.cause is None)


@dataclass(frozen=True, slots=True)
class _Picture:
    """All entries and, by name and version, what answers; under None the highest version."""

    entries: Mapping[str, Entry]
    served: Mapping[str, Mapping[int | None, Servable]]


class Registry:
    """An immutable picture, replaced as a whole at each change: readers take no lock.

    `tell_first` is called with each entry before it takes the place of the one before: other processes serve the same.
    """

    def __init__(self, tell_first: Callable[[str, Entry], None] = lambda _name, _entry: None) -> None:
        self._tell_first = tell_first
        self._picture = _Picture({}, {})
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def entries(self) -> Mapping[str, Entry]:
        return self._picture.entries

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change, in the thread that made it."""
        self._listeners.append(listener)

    def put(self, name: str, version: int, status: VersionStatus) -> None:
        with self._lock:
            entry = self._picture.entries.get(name, Entry())
            self._replace(name, replace(entry, versions={**entry.versions, version: status}, removed=False))
        self._notify()

    def put_cause(self, name: str, cause: str | None) -> None:
        """Record what is wrong with a model as a whole, or that nothing is any more."""
        with self._lock:
            entry = self._picture.entries.get(name)
            changed = Entry(cause=cause) if entry is None else replace(entry, cause=cause, removed=False)
            if changed == entry:
                return
            self._replace(name, changed)
        self._notify()

    def remove_version(self, name: str, version: int) -> None:
        """Forget a version that never was served."""
        with self._lock:
            entry = self._picture.entries[name]
            versions = {number: status for number, status in entry.versions.items() if number != version}
            self._replace(name, replace(entry, versions=versions))
        self._notify()

    def put_removed(self, name: str) -> None:
        """Record that a model is not configured any more; its versions keep their states."""
        with self._lock:
            entry = self._picture.entries[name]
            if entry.removed:
                return
            self._replace(name, replace(entry, cause=None, removed=True))
        self._notify()

    def put_entry(self, name: str, entry: Entry) -> None:
        """Take over what another process has of a model."""
        with self._lock:
            self._replace(name, entry)
        self._notify()

    def _replace(self, name: str, entry: Entry) -> None:
        self._tell_first(name, entry)
        picture = self._picture
        self._picture = _Picture({**picture.entries, name: entry}, {**picture.served, name: _served(entry)})

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    def find(self, name: str, version: int | None = None) -> Servable:
        """Find the version asked for, or the highest that is available; raises `NotFound` or `NotReady`."""
        picture = self._picture
        served = picture.served.get(name)
        found = None if served is None else served.get(version)
        if found is None:
            raise _absence(name, version, picture.entries.get(name))
        return found


def _served(entry: Entry) -> dict[int | None, Servable]:
    served: dict[int | None, Servable] = {}
    for number, servable in entry.available.items():
        served.setdefault(None, servable)
        served[number] = servable
    return served


def _absence(name: str, version: int | None, entry: Entry | None) -> NotFound | NotReady:
    """Say why a version does not answer: still loading, failed, or not there."""
    if entry is None or (entry.removed and not entry.available):
        return NotFound(f"model '{name}' is not found")
    label = f"model '{name}'" if version is None else f"model '{name}' version {version}"
    wanted = entry.versions if version is None else {n: s for n, s in entry.versions.items() if n == version}
    if any(status.state in {State.START, State.LOADING} and status.cause is None for status in wanted.values()):
        return NotReady(f"{label} is still loading; try again later")
    causes = [f"version {number}: {status.cause}" for number, status in sorted(wanted.items()) if status.cause]
    if entry.cause and not entry.available:
        causes.append(entry.cause)
    if causes:
        return NotFound(f"{label} is not available: {'; '.join(causes)}")
    if entry.available:
        served = ", ".join(map(str, sorted(entry.available)))
        return NotFound(f"{label} is not found; served: {served}")
    return NotFound(f"{label} has no available versions")
