"""The worker's registry, as the server's: the same models in the same states, and servables of the worker's own."""

import threading
import weakref
from collections.abc import Mapping

from ovserve.config.declared import WrongTritonConfig
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.pipelines.graph import WrongPipeline
from ovserve.pipelines.upkeep import make_pipeline
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.registry import Entry, Registry, State, VersionStatus
from ovserve.serving.servable import Servable
from ovserve.workers.letters.described import Described, ToldEntry, ToldVersion
from ovserve.workers.member.forwarded import Forwarded, forwarded
from ovserve.workers.member.server_side import ServerSide

logger = get_logger("ovserve.workers")


class Mirror:
    """One thread follows; others bring what has been loaded."""

    def __init__(self, registry: Registry, turns: DecodingTurns, server: ServerSide) -> None:
        self._registry = registry
        self._turns = turns
        self._server = server
        self._awaited: set[int] = set()  # what is being loaded
        self._loaded: dict[int, Servable] = {}  # and is not served yet
        self._known: weakref.WeakValueDictionary[int, Servable] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def await_load(self, number: int) -> None:
        """Know that something is about to be loaded."""
        with self._lock:
            self._awaited.add(number)

    def put(self, number: int, servable: Servable) -> None:
        """Have what was loaded, until it is served or dropped; it may have been dropped already."""
        with self._lock:
            if number in self._awaited:
                self._awaited.discard(number)
                self._loaded[number] = servable

    def drop(self, number: int) -> None:
        with self._lock:
            self._awaited.discard(number)
            self._loaded.pop(number, None)

    def served(self) -> Mapping[int, Servable]:
        """Tell what is there, by number."""
        return dict(self._known)

    def follow(self, name: str, told: ToldEntry) -> None:
        """Serve a model as the server does from now on."""
        versions = {number: self._status(version) for number, version in told.versions.items()}
        self._registry.put_entry(name, Entry(versions, told.cause, told.removed))

    def clear(self) -> None:
        """Serve nothing any more, so that models finalize."""
        for name in self._registry.entries:
            self._registry.put_entry(name, Entry(removed=True))
        with self._lock:
            self._loaded.clear()

    def _status(self, told: ToldVersion) -> VersionStatus:
        servable = None
        if told.number is not None and told.described is not None:
            servable = self._servable(told.number, told.described, told.members, told.state)
        if told.state is State.UNLOADING and told.number is not None:
            self._tell_when_empty(told.number, servable)
        return VersionStatus(told.state, servable, told.cause, told.note)

    def _servable(
        self, number: int, described: Described, members: Mapping[str, int] | None, state: State
    ) -> Servable | None:
        with self._lock:
            servable = self._known.get(number) or self._loaded.pop(number, None)
        if servable is None and state is State.UNLOADING:
            return None
        if servable is None and members is not None:
            servable = self._pipeline(described, members)
        if servable is None:
            servable = forwarded(number, described, self._server)
        if not isinstance(servable, Forwarded) and servable.config.pipeline is not None:
            servable.note = described.note  # type: ignore[misc] # a pipeline's may be set
        self._known[number] = servable
        return servable

    def _pipeline(self, described: Described, members: Mapping[str, int]) -> Servable | None:
        found = {node: servable for node, number in members.items() if (servable := self._known.get(number))}
        if len(found) < len(members):
            return None
        try:
            return make_pipeline(described.config, found, self._turns)
        except (WrongPipeline, WrongTritonConfig, LoadFailed) as error:
            logger.warning("a pipeline stays with the server", pipeline=described.metadata.name, cause=str(error))
            return None

    def _tell_when_empty(self, number: int, servable: Servable | None) -> None:
        if servable is None:
            self._server.say("emptied", number=number)
        else:
            servable.in_flight.when_empty(lambda: self._server.say("emptied", number=number))
