"""Brings what is served in line with what is configured and what lies on disk, again and again."""

import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.repository.source import Source
from ovserve.serving.asked import Asked
from ovserve.serving.desired import Desired, Name, Wanted, desire
from ovserve.serving.difference import difference
from ovserve.serving.drained import drained
from ovserve.serving.failures import Failures
from ovserve.serving.loads import Landed, Loads, LoadVersion
from ovserve.serving.notices import Notices
from ovserve.serving.registry import Registry, State, VersionStatus
from ovserve.serving.reload import Picture, picture, shortcoming
from ovserve.serving.servable import Servable
from ovserve.serving.steadiness import NEXT_LOOK_S, Steadiness
from ovserve.serving.view import ALL, View

# A version that fails while its files are this young is probably still being copied.
_YOUNG_S = 10.0
_LONGEST_WAIT_S = 60.0

_KEPT = "its configuration is refused, the one before is in force"

logger = get_logger("ovserve.repository")


class Reconciler:
    """One thread at a time calls `step`; loads run beside it, and one that fails or takes long delays no other.

    `settle` brings the pipelines in line with the models. `follows` says whether changes on disk count by themselves.
    If not, only models that are `chosen` are served, and each as it was when its load was asked for.
    """

    def __init__(
        self,
        source: Source,
        load_version: LoadVersion,
        registry: Registry,
        *,
        follows: bool = True,
        retries: bool = True,
        chosen: Collection[str] = (ALL,),
        settle: Callable[[Mapping[str, ModelConfig]], None] = lambda _pipelines: None,
        loads_at_once: int = 4,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.dirty = threading.Event()
        self.asked = Asked(self.dirty)  # `run` must be running, or nobody answers
        self._view = View(source, follows=follows, chosen=chosen)
        self._registry = registry
        self._retries = retries
        self._settle = settle
        self._clock = clock
        self._began_s = clock()
        self._desired: Desired = {}
        self._served: dict[Name, Wanted] = {}
        self._failures = Failures(clock, retries=retries)
        self._steadiness = Steadiness(clock)
        self._notices = Notices()
        self._loads = Loads(load_version, at_once=loads_at_once, wake=self.dirty, clock=clock)
        self._emptied: SimpleQueue[tuple[Name, Servable]] = SimpleQueue()

    @property
    def has_links(self) -> bool:
        """Tell whether file system events may be missing: they do not come from behind links."""
        return any(seen.has_links for seen in self._view.seen.values())

    def pass_once(self) -> None:
        """Go on until all that can be loaded now is loaded or has failed; raises `LoadFailed` for the source."""
        for name in self._view.at_start():
            self.asked.at_start(name)
        while (wait_s := self.step()) is not None:
            self.dirty.wait(wait_s)

    def run(self, period_s: Callable[[], float | None], stopped: threading.Event) -> None:
        """Go on until `stopped`: look anew when `dirty` is set, and after `period_s` (None: only when dirty)."""
        while not stopped.is_set():
            try:
                soon_s = self.step()
            except Exception:
                # The last line of defence: a fault of ours must not end all watching.
                logger.exception("the repository could not be looked at")
                soon_s = _LONGEST_WAIT_S
            retry_s = self._failures.next_retry_s(self._loads.running)
            waits_s = [wait_s for wait_s in (soon_s, retry_s, period_s()) if wait_s is not None]
            self.dirty.wait(min(waits_s, default=None))

    def is_pipeline(self, name: str) -> bool:
        return name in self._view.configured.pipelines

    def step(self) -> float | None:
        """Look, decide and act, without waiting; return in how many seconds to look again at the latest.

        None where nothing is under way.
        """
        self.dirty.clear()
        self._land()
        asked = self.asked.begin_requests()  # before the look, which has to be younger than the request
        for request in asked:
            self._failures.forget_model(request.model)
        if self.asked.begin_reloads(self._served_now):
            self._failures.keep(())
        self._view.look(asked, self.asked.requests)
        failed = self._failed()
        self._desired = desire(self._view.configured.models, self._view.seen, failed)
        todo = difference(self._desired, self._served, failed if self._view.follows else ())
        unsteady = {name for name, wanted in todo.load.items() if not self._begin(name, wanted)}
        for name in todo.retire:
            self._retire(name)
        self._forget()
        self._take_back()
        self._tell()
        self._settle(self._view.configured.pipelines)
        self._answer(unsteady)
        if unsteady:
            return NEXT_LOOK_S
        return _LONGEST_WAIT_S if self._loads.running else None

    def _answer(self, unsteady: Collection[Name]) -> None:
        """Tell those who asked when nothing of their model is under way any more."""
        busy = {name for name, _ in (*self._loads.running, *unsteady)}
        parts = self._view.configured.parts
        self.asked.answer_requests(lambda model: not busy.isdisjoint(parts(model)), self._failures_of)
        if not busy:
            self.asked.answer_reloads(
                self._served_now, lambda: shortcoming(self._view, self._failures.causes, self._registry)
            )

    def _served_now(self) -> Picture:
        return picture(self._registry)

    def _failures_of(self, model: str) -> Mapping[int, str]:
        return self._failures.of(model) or self._failure_of_a_pipeline(model)

    def _failure_of_a_pipeline(self, name: str) -> Mapping[int, str]:
        if name not in self._view.configured.pipelines:
            return {}
        statuses = self._registry.entries[name].versions
        return {version: status.cause for version, status in statuses.items() if status.cause is not None}

    def _failed(self) -> set[Name]:
        """Find the versions that cannot be loaded as they are now."""
        return {
            (name, version)
            for name, config in self._view.configured.models.items()
            for version, seen in self._view.seen[name].versions.items()
            if self._failures.has((name, version), Wanted(config, seen))
        }

    def _begin(self, name: Name, wanted: Wanted) -> bool:
        """Start a load unless it is too early; tell whether the files are steady."""
        if name in self._loads.running or not self._failures.may_try(name, wanted):
            return True
        if name not in self._served and not self._failures.has(name, wanted):
            self._put(name, VersionStatus(State.LOADING))
        if not self._steadiness.is_steady(name, wanted.seen):
            return False
        self._loads.begin(name, wanted)
        return True

    def _land(self) -> None:
        for landed in self._loads.take():
            if self._desired.get(landed.name) != landed.wanted:
                continue
            if landed.servable is not None:
                self._serve(landed, landed.servable)
            elif landed.error is not None:
                self._fail(landed, landed.error)
        for name, servable in drained(self._emptied):
            if self._status(name) == VersionStatus(State.UNLOADING, servable):
                self._put(name, VersionStatus(State.END, cause="unloaded"))
                logger.info("version unloaded", model=name[0], version=name[1])

    def _serve(self, landed: Landed, servable: Servable) -> None:
        self._failures.forget(landed.name)
        self._served[landed.name] = landed.wanted
        self._put(landed.name, VersionStatus(State.AVAILABLE, servable, note=servable.note))
        logger.info(
            "version available",
            model=landed.name[0],
            version=landed.name[1],
            slots=servable.slots,
            seconds=round(landed.seconds, 2),
        )

    def _fail(self, landed: Landed, error: LoadFailed) -> None:
        name, cause = landed.name, str(error)
        grows = self._retries and self._has_just_changed(landed.wanted.seen.changed_s)
        if self._failures.add(name, landed.wanted, cause, alarm=not grows):
            logger.error("version failed", model=name[0], version=name[1], cause=cause, path=str(error.path))
        status = self._status(name)
        if status is not None and name in self._served:
            what = "files" if self._served[name].config == landed.wanted.config else "settings"
            note = f"its {what} have changed and cannot be loaded, what was loaded before is served: {cause}"
            self._put(name, replace(status, note=note))
        elif grows:
            self._put(name, VersionStatus(State.LOADING, note=f"not complete yet: {cause}"))
        else:
            self._put(name, VersionStatus(State.LOADING, cause=cause))

    def _has_just_changed(self, changed_s: float) -> bool:
        return changed_s > self._began_s and self._clock() - changed_s < _YOUNG_S

    def _is_young(self, folder: Path) -> bool:
        """Tell whether a folder in which no version is found is probably still being filled."""
        try:
            return self._retries and self._has_just_changed(folder.stat().st_ctime)
        except OSError:
            return False

    def _retire(self, name: Name) -> None:
        del self._served[name]
        status = self._status(name)
        assert status is not None and status.servable is not None  # noqa: S101, PT018 - it was served
        servable = status.servable
        self._put(name, VersionStatus(State.UNLOADING, servable))

        unloaded = weakref.ref(servable)  # it keeps this, which must not keep it: a model's memory is freed at once

        def emptied() -> None:
            servable = unloaded()
            if servable is not None:
                self._emptied.put((name, servable))
                self.dirty.set()

        servable.in_flight.when_empty(emptied)

    def _forget(self) -> None:
        """Drop what is known of versions that are not wanted any more and were never served."""
        self._failures.keep(self._desired)
        self._steadiness.keep(self._desired)
        for model, entry in self._registry.entries.items():
            for version, status in entry.versions.items() if model not in self._view.configured.pipelines else ():
                name = (model, version)
                if status.state is State.LOADING and name not in self._loads.running and name not in self._desired:
                    self._registry.remove_version(model, version)

    def _take_back(self) -> None:
        """Say no more that new files cannot be loaded where those that are served are wanted again."""
        for name, wanted in self._served.items():
            status = self._status(name)
            if self._desired.get(name) == wanted and status is not None and status.servable is not None:
                self._put(name, replace(status, note=status.servable.note))

    def _tell(self) -> None:
        """Say of whole models what is wrong with them, and which are gone."""
        configured = self._view.configured
        served = configured.models.keys() | configured.pipelines.keys()
        kept = {name: f"{_KEPT}: {error}" for name, error in configured.errors.items() if name in served}
        for name in configured.errors.keys() - kept.keys():
            self._registry.put_cause(name, str(configured.errors[name]))
            self._notices.say(name, (), configured.errors[name])
        for name in configured.pipelines.keys() & self._registry.entries.keys():
            self._registry.put_cause(name, kept.get(name))
        wanted = {model for model, _ in self._desired}
        for name, seen in self._view.seen.items():
            error = seen.error
            if error is None and name not in wanted:
                place = configured.models[name].base_path
                error = LoadFailed("model_version_policy selects none of the versions found", place)
            self._registry.put_cause(name, kept.get(name) if error is None else str(error))
            if error is None or not self._is_young(configured.models[name].base_path):
                self._notices.say(name, seen.ignored, error)
        for name in self._registry.entries.keys() - served - configured.errors.keys():
            self._notices.forget(name)
            self._registry.put_removed(name)

    def _status(self, name: Name) -> VersionStatus | None:
        entry = self._registry.entries.get(name[0])
        return None if entry is None else entry.versions.get(name[1])

    def _put(self, name: Name, status: VersionStatus) -> None:
        if self._status(name) != status:
            self._registry.put(*name, status)
