"""The door for those who want answers: live, ready, metadata, infer."""

import threading
from dataclasses import dataclass

from ovserve.errors import NotFound, NotReady
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.serving.load_wait import LoadWait
from ovserve.serving.registry import Registry


@dataclass(frozen=True, slots=True)
class Totals:
    """How many inference requests were let in, and how many of them were answered with a result."""

    accepted: int
    answered: int


class DataPlane:
    """Protocol-neutral; every frontend's only way to a model."""

    def __init__(self, registry: Registry, *, strict_readiness: bool = False, load_wait_seconds: float = 0) -> None:
        self._registry = registry
        self._strict = strict_readiness
        self._load_wait = LoadWait(registry, load_wait_seconds)
        self._accepted = 0
        self._answered = 0
        self._in_flight = 0
        self._changed = threading.Condition()
        self._open = False
        self._draining = False

    def open(self) -> None:
        """Become ready: the first load pass has ended, whatever became of single models."""
        self._open = True

    def close(self) -> None:
        """Be ready no more, and refuse new requests."""
        with self._changed:
            self._open = False
            self._draining = True
        self._load_wait.close()

    def drain(self, timeout_s: float) -> bool:
        """Wait, once closed, for the requests in flight; tell whether they ended within `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout_s)

    def ready(self) -> bool:
        """Tell whether the server is ready; if strict, only while everything that should be served is."""
        return self._open and (not self._strict or all(entry.is_whole for entry in self._registry.entries.values()))

    @property
    def most_waiting_for_loads(self) -> int:
        """How many requests may wait for models to load."""
        return self._load_wait.most

    def model_ready(self, name: str, version: int | None) -> bool:
        """Tell whether the version would answer now; an unknown one would not (Triton)."""
        try:
            self._registry.find(name, version)
        except (NotFound, NotReady):
            return False
        return not self._draining

    def metadata(self, name: str, version: int | None) -> tuple[Metadata, tuple[int, ...]]:
        """Return the metadata and all available versions, lowest first; raises `NotFound` or `NotReady`."""
        model = self._registry.find(name, version)
        return model.metadata, tuple(sorted(self._registry.entries[name].available))

    def infer(self, request: InferRequest, caller: Caller) -> InferResponse:
        """Answer `request`; raises an `OVServeError` that says why not."""
        with self._changed:
            if self._draining:
                raise NotReady("the server is stopping")
            self._accepted += 1
            self._in_flight += 1
        answered = 0
        try:
            response = self._load_wait.find(request.model, request.version, caller).infer(request, caller)
            answered = 1
        finally:
            with self._changed:
                self._answered += answered
                self._in_flight -= 1
                if self._draining:
                    self._changed.notify_all()
        return response

    @property
    def totals(self) -> Totals:
        with self._changed:
            return Totals(self._accepted, self._answered)
