"""The sequences of requests that a version serves now, and the order of turns in each.

What a sequence keeps from turn to turn is for whoever asks to say: the values of variables, the place of an instance.
No thread works here: what is idle for too long goes at the next look.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from ovserve.engine.pool import Queue, SlotPool
from ovserve.errors import AlreadyExists, NotInSequence, Overloaded, SequenceEnded, TooManySequences, UnknownSequence
from ovserve.requests import Caller, InSequence

KeptT = TypeVar("KeptT")

_HIGHEST_DRAWN = 2**53 - 1  # what every JSON reader takes


class Form(Enum):
    """Whose rules hold where a client breaks them, and when a sequence begins that has not ended (spec J.4, K.3)."""

    OVMS = "ovms"
    TRITON = "triton"


@dataclass(frozen=True, slots=True)
class Rules:
    """At most `limit` sequences at once, each idle for less than `idle_s` seconds (None: for ever).

    Of their requests `most_inside` may run or wait at once.
    """

    form: Form
    limit: int
    idle_s: float | None
    most_inside: int


class _Sequence(Generic[KeptT]):
    """Changes under the table's lock only, but for `turns`, which has its own."""

    __slots__ = ("ending", "kept", "lives", "turns", "used_s", "users")

    def __init__(self, owner: str, most: int) -> None:
        self.turns = SlotPool((0,), Queue(owner, most, None))
        self.users = 0  # requests that run or wait
        self.lives = False  # the first request was answered, and the last one was not
        self.ending: Turn[KeptT] | None = None  # the last request, once it is here
        self.kept: KeptT | None = None
        self.used_s = 0.0


class Turn(Generic[KeptT]):
    """One request of a sequence. `kept` is what the last one left, None for the first; put in what this one leaves."""

    __slots__ = ("done", "ends", "id", "kept", "starts")

    def __init__(self, at: InSequence) -> None:
        self.id = at.id
        self.starts = at.starts
        self.ends = at.ends
        self.kept: KeptT | None = None
        self.done = False


class Sequences(Generic[KeptT]):
    """The table; `model` and `version` are for its sentences, `clock` counts seconds."""

    def __init__(self, model: str, version: int, rules: Rules, clock: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._label = f"model '{model}' version {version}"
        self._rules = rules
        self._clock = clock
        self._all: dict[int | str, _Sequence[KeptT]] = {}
        self._idle: OrderedDict[int | str, _Sequence[KeptT]] = OrderedDict()  # the one idle for longest first
        self._inside = 0
        self._lock = threading.Lock()

    @property
    def active(self) -> int:
        """How many there are, after a look for those idle for too long."""
        with self._lock:
            self._drop_idle()
            return len(self._all)

    def drop_idle(self) -> None:
        """Give back what is kept for sequences idle for too long."""
        with self._lock:
            self._drop_idle()

    def knows(self, name: int | str) -> bool:
        with self._lock:
            self._drop_idle()
            return name in self._all

    @contextmanager
    def turn(self, at: InSequence, caller: Caller, *, admitted: bool = False) -> Iterator[Turn[KeptT]]:
        """Wait for the turn of a request; it counts when the `with` block ends well, else all stays as it was.

        The id 0 of a request that starts has one drawn (OVMS). Raises `NotInSequence`, `UnknownSequence`,
        `AlreadyExists`, `SequenceEnded`, `TooManySequences`; `Overloaded`, `Cancelled` and `DeadlineExceeded` as a
        `SlotPool`.
        """
        turn = Turn[KeptT](at)
        sequence = self._arrive(turn, admitted=admitted)
        try:
            with sequence.turns.slot(caller, admitted=True):
                self._begin(sequence, turn)
                yield turn
                self._end(sequence, turn)
        finally:
            self._leave(sequence, turn)

    def _arrive(self, turn: Turn[KeptT], *, admitted: bool) -> _Sequence[KeptT]:
        with self._lock:
            self._drop_idle()
            if self._inside >= self._rules.most_inside and not admitted:
                raise Overloaded(
                    f"{self._label}: {self._inside} requests of sequences are inside already, "
                    f"as many as max_queue allows; try again later"
                )
            sequence = self._started(turn) if turn.starts else self._going_on(turn)
            if turn.ends:
                sequence.ending = turn
            elif turn.starts:
                sequence.ending = None
            sequence.users += 1
            self._inside += 1
            self._idle.pop(turn.id, None)
            return sequence

    def _started(self, turn: Turn[KeptT]) -> _Sequence[KeptT]:
        drawn = not turn.id
        while drawn and (not turn.id or turn.id in self._all):
            turn.id = 1 + secrets.randbelow(_HIGHEST_DRAWN)  # not to be guessed: who knows it is let into the sequence
        found = self._all.get(turn.id)
        if found is not None and self._rules.form is Form.OVMS:
            raise AlreadyExists(
                f"Sequence with provided ID already exists - {self._label}: sequence {turn.id} has begun and not ended"
            )
        if found is None:
            if len(self._all) >= self._rules.limit:
                raise TooManySequences(
                    f"Max sequence number has been reached. Could not create new sequence. - {self._label}: "
                    f"{self._rules.limit} sequences have begun and not ended, as many as max_sequence_number allows"
                )
            found = self._all[turn.id] = _Sequence(f"{self._label}: sequence {turn.id}", self._rules.most_inside)
        return found

    def _going_on(self, turn: Turn[KeptT]) -> _Sequence[KeptT]:
        found = self._all.get(turn.id)
        if found is None:
            raise self._unknown(turn)
        if found.ending is not None:
            if self._rules.form is Form.TRITON:
                raise self._unknown(turn)
            raise SequenceEnded(
                f"Sequence last request is being processed and it's not available anymore - {self._label}: "
                f"sequence {turn.id} was asked to end"
            )
        return found

    def _unknown(self, turn: Turn[KeptT]) -> NotInSequence | UnknownSequence:
        if self._rules.form is Form.TRITON:
            return NotInSequence(
                f"inference request for sequence {turn.id} to model '{self._model}' "
                f"must specify the START flag on the first request of the sequence"
            )
        return UnknownSequence(
            f"Sequence with provided ID does not exist - {self._label}: sequence {turn.id} has not begun, "
            f"has ended or was idle for too long"
        )

    def _begin(self, sequence: _Sequence[KeptT], turn: Turn[KeptT]) -> None:
        with self._lock:
            if turn.starts:
                return
            if not sequence.lives:  # the request that was to start it, or that ended it, was before us in the queue
                raise self._unknown(turn)
            turn.kept = sequence.kept

    def _end(self, sequence: _Sequence[KeptT], turn: Turn[KeptT]) -> None:
        with self._lock:
            turn.done = True
            sequence.lives = not turn.ends
            sequence.kept = None if turn.ends else turn.kept

    def _leave(self, sequence: _Sequence[KeptT], turn: Turn[KeptT]) -> None:
        with self._lock:
            self._inside -= 1
            sequence.users -= 1
            if sequence.ending is turn and not turn.done:
                sequence.ending = None
            if sequence.users:
                return
            if not sequence.lives:
                del self._all[turn.id]
                return
            sequence.used_s = self._clock()
            self._idle[turn.id] = sequence

    def _drop_idle(self) -> None:
        if self._rules.idle_s is None or not self._idle:
            return
        until_s = self._clock() - self._rules.idle_s
        while self._idle:
            name, longest = next(iter(self._idle.items()))
            if longest.used_s > until_s:
                return
            del self._idle[name], self._all[name]


@runtime_checkable
class KeepsSequences(Protocol):
    """A servable whose requests come in sequences."""

    sequences: Sequences[Any]
