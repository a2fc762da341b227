"""The door for those who want answers: live, ready, metadata, infer, statistics."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import TypeAlias, TypeVar

from ovserve.errors import InvalidInput, NotFound, NotReady, OVServeError
from ovserve.requests import IN_PROCESS, Caller, Door, Hurried, InferRequest, InferResponse, Metadata, Operation
from ovserve.seeing import request_log
from ovserve.seeing.tracing import Changes, Tracer, TraceSettings
from ovserve.seeing.watch import NOBODY, Look, Watch, Watching
from ovserve.serving import classified, readings
from ovserve.serving.load_wait import LoadWait
from ovserve.serving.registry import Registry
from ovserve.serving.servable import SendResponse, Servable, Streaming
from ovserve.serving.statistics import Snapshot
from ovserve.tensors import TensorSpec

_US = 1e-6

T = TypeVar("T")
_Answer: TypeAlias = Callable[[Servable, InferRequest, Caller], T]


@dataclass(frozen=True, slots=True)
class Totals:
    """How many inference requests were let in, and how many of them were answered with a result."""

    accepted: int
    answered: int


@dataclass(frozen=True, slots=True)
class VersionStatistics:
    """The counts of one version that is served."""

    name: str
    version: int
    counts: Snapshot


class DataPlane:
    """Protocol-neutral; every frontend's only way to a model.

    `counting` makes what reads the counts of a version, in all processes that serve it.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        strict_readiness: bool = False,
        load_wait_seconds: float = 0,
        spans: Look | None = None,
        tracer: Tracer | None = None,
        counting: Callable[[], readings.Read] = readings.here,
    ) -> None:
        self._registry = registry
        self._counting = counting
        self._strict = strict_readiness
        self._load_wait = LoadWait(registry, load_wait_seconds)
        self._tracer = tracer or Tracer()
        self._spans = spans
        self._accepted = 0
        self._answered = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
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

    def model_ready(self, name: str, version: int | None, door: Door = IN_PROCESS) -> bool:
        """Tell whether the version would answer now; an unknown one would not (Triton)."""
        try:
            model = self._registry.find(name, version)
        except (NotFound, NotReady):
            return False
        model.statistics.answer(door, Operation.READY, 0, good=True)
        return not self._draining and (not isinstance(model, Streaming) or model.is_ready())

    def metadata(self, name: str, version: int | None, door: Door = IN_PROCESS) -> tuple[Metadata, tuple[int, ...]]:
        """Return the metadata and all available versions, lowest first; raises `NotFound` or `NotReady`."""
        model = self._registry.find(name, version)
        model.statistics.answer(door, Operation.METADATA, 0, good=True)
        return model.metadata, tuple(sorted(self._registry.entries[name].available))

    def served(self, name: str, version: int | None) -> Servable:
        """Return what is served, to see how; raises `NotFound` or `NotReady`."""
        return self._registry.find(name, version)

    def inputs(self, name: str, version: int | None, caller: Caller) -> tuple[TensorSpec, ...]:
        """Tell what a request that is about to be read will have to hold; waits and raises as `infer` does."""
        return self._load_wait.find(name, version, caller).taken

    def statistics(self, name: str = "", version: int | None = None) -> list[VersionStatistics]:
        """Count by name and version what is served: all, of one model, or of one version.

        Raises `InvalidInput` where that is nothing (Triton).
        """
        entries = self._registry.entries
        if name:
            try:
                self._registry.find(name, version)
            except (NotFound, NotReady) as error:
                raise InvalidInput(str(error)) from error
            entries = {name: entries[name]}
        read = self._counting()
        return [
            VersionStatistics(each, number, read(servable).counts)
            for each, entry in sorted(entries.items())
            for number, servable in sorted(entry.available.items())
            if version in (None, number)
        ]

    def trace_settings(self, changes: Changes, model: str = "", version: int | None = None) -> TraceSettings:
        """Change what is traced of all models or of one, and tell what is in force then; all its versions go together.

        Raises `NotFound`, `NotReady`, `InvalidInput`, `Unsupported`.
        """
        if model:
            self._registry.find(model, version)
        return self._tracer.change(changes, model) if changes else self._tracer.settings(model)

    def watch(self, door: Door) -> Watch:
        """Make the `with` block for one inference request, from before it is read until it is answered."""
        looks: list[Look] = []
        if self._spans is not None:
            looks.append(self._spans)
        if request_log.is_on():
            looks.append(request_log.write)
        if self._tracer.is_on:
            looks.append(self._tracer.trace)
        return Watching(door, looks, wants_headers=self._spans is not None) if looks else NOBODY

    def refused(self, door: Door, error: OVServeError, model: str = "", version: str | None = None) -> None:
        """Tell of an inference request that could not even be read, and what it asked for as far as that is known."""
        with self.watch(door) as watch:
            watch.know(model, version, "")
            watch.refuse(error)

    def infer(
        self, request: InferRequest, caller: Caller, door: Door = IN_PROCESS, watch: Watch = NOBODY
    ) -> InferResponse:
        """Answer `request`, and tell `watch` of it; raises an `OVServeError` that says why not."""
        watch.begin(request)
        response: InferResponse | None = None
        try:
            response = self._let_in(request, caller, door, _answer_one)
        finally:
            watch.end(response)
        return response

    def infer_stream(
        self,
        request: InferRequest,
        caller: Caller,
        send: SendResponse,
        door: Door = IN_PROCESS,
        watch: Watch = NOBODY,
    ) -> None:
        """Answer `request` with any number of responses, the last of which is marked as such (see `Streaming`).

        Returns when that was sent; raises an `OVServeError` that ends the request instead.
        """
        watch.begin(request)
        last: InferResponse | None = None

        def note(response: InferResponse | OVServeError | None, *, final: bool) -> None:
            nonlocal last
            last = response if isinstance(response, InferResponse) else last
            if isinstance(response, OVServeError):
                watch.refuse(response)
            send(response, final=final)

        try:
            self._let_in(request, caller, door, partial(_answer_all, send=note))
        finally:
            watch.end(last)

    def call(self, request: InferRequest, caller: Caller, send: SendResponse, *, many: bool, admitted: bool) -> None:
        """Answer a request that a model makes within one that was let in, while the server stops too.

        With `many` there may be any number of responses. Raises an `OVServeError` that ends the request.
        """
        if request.timeout_us:
            caller = Hurried(caller, request.timeout_us * _US)
        model = self._load_wait.find(request.model, request.version, caller)
        if many and isinstance(model, Streaming):
            model.infer_stream(request, caller, send, admitted=admitted)
        else:
            send(model.infer(request, caller, admitted=admitted), final=True)

    def _let_in(self, request: InferRequest, caller: Caller, door: Door, answer: _Answer[T]) -> T:
        with self._lock:
            if self._draining:
                raise NotReady("the server is stopping")
            self._accepted += 1
            self._in_flight += 1
        answered = 0
        begun_ns = perf_counter_ns()
        model: Servable | None = None
        try:
            if request.timeout_us:
                caller = Hurried(caller, request.timeout_us * _US)
            model = self._load_wait.find(request.model, request.version, caller)
            given = answer(model, request, caller)
            answered = 1
        finally:
            if model is not None:
                model.statistics.answer(door, Operation.INFER, perf_counter_ns() - begun_ns, good=bool(answered))
            with self._lock:
                self._answered += answered
                self._in_flight -= 1
                if self._draining:
                    self._changed.notify_all()
        return given

    @property
    def totals(self) -> Totals:
        with self._changed:
            return Totals(self._accepted, self._answered)


def _answer_one(model: Servable, request: InferRequest, caller: Caller) -> InferResponse:
    return classified.infer(model, request, caller) if request.classification else model.infer(request, caller)


def _answer_all(model: Servable, request: InferRequest, caller: Caller, *, send: SendResponse) -> None:
    if isinstance(model, Streaming) and not request.classification:
        model.infer_stream(request, caller, send)
    else:
        send(_answer_one(model, request, caller), final=True)
