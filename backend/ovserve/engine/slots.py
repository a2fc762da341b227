"""The slots of one compiled model, whose streams may follow how many requests run at once."""

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ovserve.engine.crowd import LOOK_EVERY_S, Crowd
from ovserve.engine.outputs import NO_PLACES
from ovserve.engine.refused import Refused
from ovserve.engine.state import State
from ovserve.observability.logs import get_logger
from ovserve.ran import Ran
from ovserve.shared_memory import Window
from ovserve.tensors import Tensor

logger = get_logger("ovserve.streams")


class Runs(Protocol):
    """What runs one request at a time."""

    def run(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        """Infer, and take out the outputs named (None: all), to their `places` where that can be.

        Raises `InferenceFailed` with the device's reason, and `RegionChanged`.
        """
        ...

    def lend(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        """Infer as `run`, for one who only reads the outputs: large ones may be lent (`engine/lending.py`)."""
        ...

    def run_on(
        self, state: State | None, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None
    ) -> tuple[Ran, State]:
        """Infer likewise from what an earlier inference left (None: the first values); returns what this one left."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of what the model keeps from one inference to the next."""
        ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one compilation gives: a slot for each turn, and the streams that work on them."""

    slots: tuple[Runs, ...]
    streams: int


Recompile: TypeAlias = Callable[[int], Compiled]

# Of two clients one is alone whenever the other has just been answered, or still sends: a while tells.
_ALONE_S = 1.0


class Slots:
    """A slot for each turn; `slots[turn].run(...)` is for whoever holds the turn.

    With a `crowd`, the model is compiled anew for more streams when lasting use wants them, behind the requests
    (`recompile`): a request under way ends where it began, the next one runs on what is new. What was compiled first is
    kept for requests that are alone. `running` holds what runs now, of all models that share the cores.
    """

    def __init__(
        self,
        compiled: Compiled,
        name: str,
        crowd: Crowd | None = None,
        recompile: Recompile | None = None,
        *,
        running: set[object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._first = self._compiled = compiled
        self._together_s = 0.0  # when requests last met
        self._name = name
        self._crowd = crowd
        self._recompile = recompile
        self._most = 0 if crowd is None else crowd.share.most
        self._clock = clock
        self._look_every_s = look_every_s
        self._running = set() if running is None else running
        self._is_followed = False
        self._lock = threading.Lock()
        self._crowded = threading.Event()
        weakref.finalize(self, self._crowded.set).atexit = False  # the thread that follows has no reason to wait

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of what the model keeps from one inference to the next."""
        return self._compiled.slots[0].variables

    @property
    def streams(self) -> int:
        return self._compiled.streams

    def __len__(self) -> int:
        return len(self._compiled.slots)

    def __getitem__(self, turn: int) -> Runs:
        return self._compiled.slots[turn] if self._crowd is None else _Turn(self, turn)

    def begin(self, turn: int, key: object) -> Runs:
        """Count one more that runs, under a key of its own until `end`, and say what runs it."""
        self._running.add(key)  # one step for CPython, as are the others here: no lock
        running = len(self._running)
        compiled = self._compiled
        if running > 1:
            self._together_s = now_s = self._clock()
            if self._crowd is not None:
                self._see(self._crowd, running, now_s)
        elif compiled is not self._first and self._clock() - self._together_s >= _ALONE_S:
            compiled = self._first
        return compiled.slots[turn]

    def _see(self, crowd: Crowd, running: int, now_s: float) -> None:
        crowd.peak = max(crowd.peak, running)
        if self.streams < min(running, self._most) and crowd.is_lasting(running, now_s):
            self._follow()

    def end(self, key: object) -> None:
        self._running.discard(key)

    def _follow(self) -> None:
        self._crowded.set()
        with self._lock:
            if not self._is_followed:
                self._is_followed = True
                arguments = weakref.ref(self), self._crowded, self._look_every_s
                threading.Thread(target=_follow, args=arguments, name=f"streams {self._name}", daemon=True).start()

    def adapt(self, *, is_crowded: bool) -> bool:
        """Have the number of streams that use wants; tell whether there is more to follow."""
        if self._crowd is None or self._recompile is None:
            return False
        now = self.streams
        wanted = min(self._crowd.grown(now), self._most) if is_crowded else self._crowd.shrunk(now)
        if wanted != now:
            self._move(self._recompile, wanted)
        with self._lock:
            self._is_followed = self._recompile is not None and self._compiled is not self._first
            return self._is_followed

    def _move(self, recompile: Recompile, wanted: int) -> None:
        begun_s = self._clock()
        try:
            compiled = self._first if wanted <= self._first.streams else recompile(wanted)
        except Refused as refused:
            logger.warning("the streams stay as they are", model=self._name, cause=str(refused))
            self._stay()
            return
        except Exception:
            # The last line of defence: the model goes on with the streams it has.
            logger.exception("the streams stay as they are", model=self._name)
            self._stay()
            return
        if compiled.streams < wanted:
            self._most = compiled.streams  # as many as the device wants, however many ask
        if compiled.streams <= self._first.streams:
            compiled = self._first
        if compiled is self._compiled:
            return
        self._compiled = compiled
        logger.info(
            "streams changed", model=self._name, streams=compiled.streams, seconds=round(self._clock() - begun_s, 2)
        )

    def _stay(self) -> None:
        self._most, self._recompile = 0, None


class _Turn:
    __slots__ = ("_slots", "_turn")

    def __init__(self, slots: Slots, turn: int) -> None:
        self._slots = slots
        self._turn = turn

    def run(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        runs = self._slots.begin(self._turn, self)
        try:
            return runs.run(inputs, outputs, places)
        finally:
            self._slots.end(self)

    def lend(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, places: Mapping[str, Window] = NO_PLACES
    ) -> Ran:
        runs = self._slots.begin(self._turn, self)
        try:
            return runs.lend(inputs, outputs, places)
        finally:
            self._slots.end(self)

    def run_on(
        self, state: State | None, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None
    ) -> tuple[Ran, State]:
        runs = self._slots.begin(self._turn, self)
        try:
            return runs.run_on(state, inputs, outputs)
        finally:
            self._slots.end(self)

    @property
    def variables(self) -> tuple[str, ...]:
        return self._slots.variables


def _follow(place: weakref.ref[Slots], crowded: threading.Event, look_every_s: float) -> None:
    """Adapt the streams until they are as few as can be, or the slots are gone."""
    is_crowded = True
    while (slots := place()) is not None:
        crowded.clear()
        if not slots.adapt(is_crowded=is_crowded):
            return
        del slots  # or what nobody uses any more would stay until the next look
        is_crowded = crowded.wait(look_every_s)
