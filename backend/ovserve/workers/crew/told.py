"""What every worker has to know, as it was told last: a worker that comes later is told all of it."""

from functools import partial
from typing import Any

from ovserve.log_settings import log_settings
from ovserve.observability import logs
from ovserve.serving.registry import Entry, State, VersionStatus
from ovserve.shared_memory import Region
from ovserve.workers.crew.parts import Parts
from ovserve.workers.crew.worker import Worker
from ovserve.workers.crew.workers import DEAF_S, Workers
from ovserve.workers.letters import values
from ovserve.workers.letters.conversation import Pending
from ovserve.workers.letters.described import ToldEntry, ToldVersion, describe

_PHASE_S = 5.0  # in which the server opens or closes whoever does not follow
_SHOWN = {State.AVAILABLE, State.UNLOADING}


class Told:
    """Each change is told to all workers, and holds there, before the method returns."""

    def __init__(self, workers: Workers, parts: Parts) -> None:
        self._workers = workers
        self._parts = parts
        self._entries: dict[str, Entry] = {}
        self._regions: dict[str, Region] = {}
        self._traces = False
        self._phase = "loading"

    def entry(self, name: str, entry: Entry) -> None:
        """A model is about to be served otherwise."""
        with self._workers.lock:
            before = self._entries.get(name, Entry())
            self._entries[name] = entry
            if not self._workers.members:
                return
            written = values.write(self._written(entry))
            for number, servable in self._retired(entry):
                for worker in self._workers.members:
                    worker.hold(number, servable)
            # Nobody asks what is not served yet: that needs no answer.
            tell = self._workers.say_all if before.available == entry.available else self._workers.ask_all
            tell("entry", name=name, entry=written)

    def region(self, region: Region) -> None:
        with self._workers.lock:
            self._regions[region.name] = region
            self._workers.each(partial(_send_region, region))

    def no_region(self, name: str) -> None:
        """A region is forgotten, or all of them."""
        with self._workers.lock:
            if name:
                self._regions.pop(name, None)
            else:
                self._regions.clear()
            self._workers.ask_all("no_region", name=name)

    def traces(self, is_on: bool) -> None:  # noqa: FBT001 - called by the tracer
        with self._workers.lock:
            self._traces = is_on
            self._workers.ask_all("traces", on=is_on)

    def log(self) -> None:
        with self._workers.lock:
            self._workers.ask_all("log", **_log())

    def phase(self, phase: str) -> None:
        """The server has opened, or closes."""
        with self._workers.lock:
            self._phase = phase
            self._workers.ask_all("phase", phase=phase, timeout_s=_PHASE_S)

    def tell_newcomer(self, worker: Worker) -> None:
        """Tell everything, the lock held; what has gone meanwhile it never had."""
        for name, entry in self._entries.items():
            worker.say("entry", name=name, entry=values.write(self._written(entry)))
        for region in self._regions.values():
            _send_region(region, worker).get(DEAF_S)
        worker.say("traces", on=self._traces)
        worker.say("log", **_log())
        worker.say("phase", phase=self._phase)

    def _written(self, entry: Entry) -> ToldEntry:
        versions = {number: self._version(status) for number, status in entry.versions.items()}
        return ToldEntry(versions, entry.cause, entry.removed)

    def _version(self, status: VersionStatus) -> ToldVersion:
        servable = status.servable
        if servable is None or status.state not in _SHOWN:
            return ToldVersion(status.state, status.cause, status.note)
        number, members = self._parts.number_of(servable), self._parts.members(servable)
        return ToldVersion(status.state, status.cause, status.note, number, describe(servable), members)

    def _retired(self, entry: Entry) -> list[tuple[int, Any]]:
        return [
            (self._parts.number_of(status.servable), status.servable)
            for status in entry.versions.values()
            if status.state is State.UNLOADING and status.servable is not None
        ]


def _send_region(region: Region, worker: Worker) -> Pending:
    about = {"name": region.name, "key": region.key, "offset": region.offset, "byte_size": region.byte_size}
    return worker.begin_file("region", about, region.file)


def _log() -> dict[str, Any]:
    return {"level": logs.level(), "requests": log_settings()["log_requests"]}
