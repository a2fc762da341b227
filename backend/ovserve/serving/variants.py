"""The compiled variants of a model whose shapes requests decide (`auto`)."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Generic, Protocol, TypeAlias, TypeVar

from ovserve.engine.refused import NOT_RESHAPED, CannotReshape, Refused
from ovserve.errors import Cancelled, DeadlineExceeded, InferenceFailed, Overloaded, OVServeError, ShapeRefused
from ovserve.observability.logs import get_logger
from ovserve.requests import FOREVER_S, Caller
from ovserve.serving.popularity import Popularity
from ovserve.tensors import Shape, shape_text

Shapes: TypeAlias = tuple[Shape, ...]
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

# A shape is compiled when it comes again: a flood of shapes that come once each costs no compilation.
_WORTH_COMPILING = 2
# A compilation that nobody waits for is followed by a rest so many times as long: requests need the machine more.
_REST = 4
_REFUSALS_KEPT = 64

logger = get_logger("ovserve.variants")


class Compiler(Protocol[V_co]):
    """Makes variants; raises `CannotReshape` where the model cannot take the shapes."""

    def compile(self, shapes: Shapes) -> V_co:
        """Compile for exactly these shapes; raises `Refused` too, where the device cannot."""
        ...

    def check(self, shapes: Shapes) -> None:
        """Only try the shapes."""
        ...


class _Flight(Generic[V]):
    """One compilation that is wanted; `waiting` are the requests that cannot go on without it."""

    __slots__ = ("error", "shapes", "started", "variant", "waiting")

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.waiting: set[threading.Event] = set()
        self.started = False
        self.variant: V | None = None
        self.error: OVServeError | None = None


class Variants(Generic[V]):
    """Finds what runs a request's shapes; nothing that is compiled already waits for what is not.

    `general` is what was compiled at load. A shape that it runs may be compiled for itself too, behind the requests,
    where that is faster (`specialise`): when it comes again and either a place in the cache is free, or it is asked
    for far more often than the one that would go. A shape that `general` does not run is compiled at its first
    request, once; all requests of that shape wait for it, at most `max_waiting` requests in all. One compilation runs
    at a time. At most `capacity` variants are kept, the least recently used goes first; it is freed by the last
    request that runs on it.
    """

    def __init__(
        self,
        general: V,
        compiler: Compiler[V],
        *,
        model: str,
        version: int,
        capacity: int,
        specialise: bool,
        max_waiting: int,
        queue_timeout_s: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._general = general
        self._compiler = compiler
        self._model = model
        self._version = version
        self._label = f"model '{model}' version {version}"
        self._capacity = capacity
        self._specialise = specialise
        self._max_waiting = max_waiting
        self._queue_timeout_s = queue_timeout_s
        self._clock = clock
        self._ready: OrderedDict[Shapes, V] = OrderedDict()
        self._refusals: OrderedDict[Shapes, str] = OrderedDict()
        self._flights: OrderedDict[Shapes, _Flight[V]] = OrderedDict()
        self._popularity: Popularity[Shapes] = Popularity()
        self._waiting = 0
        self._working = False
        self._resting_until_s = 0.0
        self._changed = threading.Condition()

    @property
    def compiled(self) -> tuple[Shapes, ...]:
        """The shapes that have a variant of their own, the least recently used first."""
        with self._changed:
            return tuple(self._ready)

    def find(self, shapes: Shapes, caller: Caller, *, general_runs_it: bool) -> V:
        """Return the variant for `shapes`, compiling it first where nothing else runs them.

        Raises `ShapeRefused` where the model cannot take them, `InferenceFailed` where the device cannot, and what a
        wait may end in: `Overloaded`, `DeadlineExceeded`, `Cancelled`.
        """
        with self._changed:
            asked = self._popularity.ask(shapes)
            variant = self._ready.get(shapes)
            if variant is not None:
                self._ready.move_to_end(shapes)
                return variant
            if shapes in self._refusals:
                raise ShapeRefused(self._refusals[shapes])
            if general_runs_it:
                if self._specialise and shapes not in self._flights and self._deserves(asked):
                    self._want(shapes)
                return self._general
            if self._waiting >= self._max_waiting:
                raise Overloaded(
                    f"{self._label}: {self._waiting} requests are waiting for new shapes to be compiled already, "
                    f"as many as max_queue allows; try again later"
                )
            flight = self._flights.get(shapes) or self._want(shapes)
            landed = threading.Event()
            flight.waiting.add(landed)
            self._waiting += 1
            self._changed.notify_all()
        return self._wait(flight, landed, caller)

    def blame(self, shapes: Shapes) -> None:
        """Raise `ShapeRefused` if the model cannot take `shapes`: a dynamic one may notice only when it runs."""
        try:
            self._compiler.check(shapes)
        except CannotReshape as refused:
            raise self._refuse(shapes, str(refused)) from refused

    def _refuse(self, shapes: Shapes, cause: str) -> ShapeRefused:
        shown = ", ".join(map(shape_text, shapes))
        sentence = f"{self._label}: {NOT_RESHAPED} - {shown}: {cause}"
        with self._changed:
            self._refusals[shapes] = sentence
            if len(self._refusals) > _REFUSALS_KEPT:
                self._refusals.popitem(last=False)
        return ShapeRefused(sentence)

    def _deserves(self, asked: int) -> bool:
        """Tell whether a shape that the general variant runs is asked for often enough to be compiled."""
        if asked < _WORTH_COMPILING:
            return False
        if len(self._ready) < self._capacity:
            return True
        # Twice: shapes that are asked for alike, but do not all find room, must not push each other out for ever.
        return asked > 2 * self._popularity.count(next(iter(self._ready)))

    def _want(self, shapes: Shapes) -> _Flight[V]:
        flight: _Flight[V] = _Flight(shapes)
        self._flights[shapes] = flight
        if not self._working:
            threading.Thread(target=self._work, name=f"compile {self._model}", daemon=True).start()
            self._working = True
        return flight

    def _wait(self, flight: _Flight[V], landed: threading.Event, caller: Caller) -> V:
        if not caller.add_callback(landed.set):
            landed.set()
        patience_s = caller.time_remaining()
        timeout_s = min(patience_s, inf if self._queue_timeout_s is None else self._queue_timeout_s)
        in_time = landed.wait(min(timeout_s, FOREVER_S))
        with self._changed:
            self._waiting -= 1
            flight.waiting.discard(landed)
            if not flight.waiting and not flight.started and self._flights.get(flight.shapes) is flight:
                del self._flights[flight.shapes]  # nobody wants it any more
        if flight.variant is not None:
            return flight.variant
        if flight.error is not None:
            raise type(flight.error)(str(flight.error)) from flight.error
        if in_time:
            raise Cancelled(f"{self._label}: the caller went away while the shape was being compiled")
        if timeout_s >= patience_s:
            raise DeadlineExceeded(f"{self._label}: the deadline passed while the shape was being compiled")
        raise Overloaded(
            f"{self._label}: the shape was not compiled within {timeout_s:g} s, as long as queue_timeout allows"
        )

    def _work(self) -> None:
        while (flight := self._next()) is not None:
            started_s = self._clock()
            self._compile(flight)
            took_s = self._clock() - started_s
            with self._changed:
                self._resting_until_s = self._clock() + _REST * took_s
            if flight.variant is not None:
                logger.info(
                    "shape compiled",
                    model=self._model,
                    version=self._version,
                    shape=", ".join(map(shape_text, flight.shapes)),
                    seconds=round(took_s, 2),
                )

    def _next(self) -> _Flight[V] | None:
        """Take what somebody waits for at once, the rest after a rest; None when nothing is wanted any more."""
        with self._changed:
            while self._flights:
                rest_s = self._resting_until_s - self._clock()
                flight = next((flight for flight in self._flights.values() if flight.waiting or rest_s <= 0), None)
                if flight is None:
                    self._changed.wait(rest_s)
                elif flight.waiting or self._deserves(self._popularity.count(flight.shapes)):
                    flight.started = True
                    return flight
                else:
                    del self._flights[flight.shapes]  # others have taken the places meanwhile
            self._working = False
            return None

    def _compile(self, flight: _Flight[V]) -> None:
        variant: V | None = None
        error: OVServeError | None = None
        try:
            variant = self._compiler.compile(flight.shapes)
        except CannotReshape as refused:
            error = self._refuse(flight.shapes, str(refused))
        except Refused as refused:
            error = InferenceFailed(str(refused))
            logger.warning("shape not compiled", model=self._model, version=self._version, cause=str(refused))
        except Exception as fault:
            # The last line of defence: requests wait for this, and a fault of ours must not keep them for ever.
            error = InferenceFailed(f"internal error while compiling: {type(fault).__name__}")
            logger.exception("shape not compiled", model=self._model, version=self._version)
        evicted = []
        with self._changed:
            flight.variant, flight.error = variant, error
            del self._flights[flight.shapes]
            if variant is not None:
                self._ready[flight.shapes] = variant
            while len(self._ready) > self._capacity:
                evicted.append(self._ready.popitem(last=False))
            for landed in flight.waiting:
                landed.set()
        evicted.clear()  # frees them, outside the lock
