"""The door for those who want answers: live, ready, metadata, infer."""

import threading
from dataclasses import dataclass

from ovserve.errors import NotFound, NotReady
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.serving.registry import Registry


@dataclass(frozen=True, slots=True)
class Totals:
    """How many inference requests came in, and how many of them were answered with a result."""

    accepted: int
    answered: int


class DataPlane:
    """Protocol-neutral; every frontend's only way to a model."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._accepted = 0
        self._answered = 0
        self._lock = threading.Lock()
        self._ready = False

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - there is nothing else it could mean
        """Ready once the first load pass has ended, whatever became of single models; not any more when stopping."""
        self._ready = ready

    def ready(self) -> bool:
        return self._ready

    def model_ready(self, name: str, version: int | None) -> bool:
        """Tell whether the version would answer now; an unknown one would not (Triton)."""
        try:
            self._registry.find(name, version)
        except (NotFound, NotReady):
            return False
        return True

    def metadata(self, name: str, version: int | None) -> tuple[Metadata, tuple[int, ...]]:
        """Return the metadata and all available versions, lowest first; raises `NotFound` or `NotReady`."""
        model = self._registry.find(name, version)
        return model.metadata, tuple(sorted(self._registry.entries[name].available))

    def infer(self, request: InferRequest, caller: Caller) -> InferResponse:
        """Answer `request`; raises an `OVServeError` that says why not."""
        with self._lock:
            self._accepted += 1
        response = self._registry.find(request.model, request.version).infer(request, caller)
        with self._lock:
            self._answered += 1
        return response

    @property
    def totals(self) -> Totals:
        with self._lock:
            return Totals(self._accepted, self._answered)
