"""Somebody asks to have everything looked at now, and wants to know what came of it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from ovserve.errors import (
    ConfigMissing,
    ConfigRefused,
    EntryRefused,
    NotOpened,
    NotThere,
    NoVersion,
    PlaceMissing,
    ReloadFailed,
    VersionsFailed,
)
from ovserve.repository.source import Configured
from ovserve.serving.registry import Registry
from ovserve.serving.servable import Servable
from ovserve.serving.view import View

Picture = Mapping[tuple[str, int], Servable]


@dataclass(slots=True)
class Reload:
    """Whoever asked waits for `done`; `before` is what was served when the look began.

    Then `changed` says whether something else is served, `error` why not all can be.
    """

    done: threading.Event = field(default_factory=threading.Event)
    before: Picture = field(default_factory=dict)
    changed: bool = False
    error: ReloadFailed | None = None

    def finish(self, now: Picture, error: ReloadFailed | None) -> None:
        self.changed = now.keys() != self.before.keys() or any(now[name] is not self.before[name] for name in now)
        self.error = error
        self.done.set()


def picture(registry: Registry) -> Picture:
    """Tell what is served."""
    return {
        (name, version): servable
        for name, entry in registry.entries.items()
        for version, servable in entry.available.items()
    }


def shortcoming(view: View, failures: Mapping[tuple[str, int], str], registry: Registry) -> ReloadFailed | None:
    """Say why not everything that is there can be served, the most general reason first; None if it can.

    A model without a version lacks nothing.
    """
    if view.lost is not None:
        return ConfigMissing(str(view.lost)) if isinstance(view.lost, NotOpened) else ConfigRefused(str(view.lost))
    if refused := _refused(view.configured):
        return refused
    for name, seen in view.seen.items():
        if seen.error is not None and not isinstance(seen.error, NoVersion):
            return PlaceMissing(f"{name}: {seen.error}")
    for (name, version), cause in failures.items():
        return VersionsFailed(f"{name} version {version}: {cause}")
    for name in view.configured.pipelines.keys() & registry.entries.keys():
        for status in registry.entries[name].versions.values():
            if status.cause or status.note:
                return EntryRefused(f"{name}: {status.cause or status.note}")
    return None


def _refused(configured: Configured) -> ReloadFailed | None:
    for name, error in configured.errors.items():
        return (PlaceMissing if isinstance(error, NotThere) else EntryRefused)(f"{name}: {error}")
    return next(map(EntryRefused, configured.passed_over), None)
