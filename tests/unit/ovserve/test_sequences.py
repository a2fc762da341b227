"""The table of sequences: who is let in, in what order, and what stays; the clock is set by hand."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf

import pytest

from ovserve.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    NotInSequence,
    Overloaded,
    OVServeError,
    SequenceEnded,
    TooManySequences,
    UnknownSequence,
)
from ovserve.requests import InSequence, Patient
from ovserve.serving.sequences import Form, Rules, Sequences

Table = Sequences[int]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Caller:
    """One that tells when it began to wait, and that can go."""

    def __init__(self, time_remaining_s: float = inf) -> None:
        self.waits = threading.Event()
        self._time_remaining_s = time_remaining_s

    def time_remaining(self) -> float:
        return self._time_remaining_s

    def add_callback(self, callback: object) -> bool:
        self.go = callback
        self.waits.set()
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def table(clock: Clock, form: Form = Form.OVMS, limit: int = 3, idle_s: float | None = 10, most: int = 8) -> Table:
    return Sequences("m", 1, Rules(form, limit, idle_s, most), clock)


def add(sequences: Table, name: int | str, number: int, **flags: bool) -> int:
    """Add to what the sequence has, and tell the sum."""
    with sequences.turn(InSequence(name, **flags), Patient()) as turn:
        turn.kept = (turn.kept or 0) + number
        return turn.kept


@pytest.mark.parametrize("form", Form)
def test_each_sequence_has_its_own(clock: Clock, form: Form) -> None:
    sequences = table(clock, form)
    assert [add(sequences, name, 1, starts=True) for name in (1, "a")] == [1, 1]
    assert [add(sequences, 1, 2), add(sequences, "a", 5), add(sequences, 1, 3, ends=True)] == [3, 6, 6]
    assert sequences.active == 1


@pytest.mark.parametrize(
    ("form", "error", "sentence"),
    [
        (
            Form.OVMS,
            UnknownSequence,
            "Sequence with provided ID does not exist - model 'm' version 1: sequence 7 has not begun, has ended or",
        ),
        (
            Form.TRITON,
            NotInSequence,
            "inference request for sequence 7 to model 'm' must specify the START flag on the first request of the",
        ),
    ],
)
def test_what_never_began_ended_or_was_idle_is_unknown(
    clock: Clock, form: Form, error: type[OVServeError], sentence: str
) -> None:
    sequences = table(clock, form)
    for prepare in (lambda: None, lambda: add(sequences, 7, 1, starts=True, ends=True), lambda: idle(sequences, clock)):
        prepare()
        with pytest.raises(error) as raised:
            add(sequences, 7, 1)
        assert str(raised.value).startswith(sentence)
        assert sequences.active == 0


def idle(sequences: Table, clock: Clock) -> None:
    add(sequences, 7, 1, starts=True)
    clock.now_s += 10


def test_a_request_keeps_a_sequence_from_being_idle(clock: Clock) -> None:
    sequences = table(clock)
    add(sequences, 1, 1, starts=True)
    add(sequences, 2, 1, starts=True)
    clock.now_s = 9
    add(sequences, 1, 1)
    clock.now_s = 18
    assert add(sequences, 1, 1) == 3
    assert not sequences.knows(2)


def test_what_runs_is_not_idle(clock: Clock) -> None:
    sequences = table(clock)
    with sequences.turn(InSequence(1, starts=True), Patient()):
        clock.now_s = 100
        assert sequences.active == 1
    assert sequences.knows(1)


def test_without_a_limit_nothing_is_idle_for_too_long(clock: Clock) -> None:
    sequences = table(clock, idle_s=None)
    add(sequences, 1, 1, starts=True)
    clock.now_s = 1e9
    assert add(sequences, 1, 1) == 2


@pytest.mark.parametrize("form", Form)
def test_one_more_than_the_limit_is_refused_until_one_ends(clock: Clock, form: Form) -> None:
    sequences = table(clock, form, limit=2)
    add(sequences, 1, 1, starts=True)
    add(sequences, 2, 1, starts=True)
    with pytest.raises(TooManySequences, match="2 sequences have begun and not ended"):
        add(sequences, 3, 1, starts=True)
    add(sequences, 1, 1, ends=True)
    assert add(sequences, 3, 1, starts=True) == 1


def test_an_idle_one_makes_room(clock: Clock) -> None:
    sequences = table(clock, limit=1)
    add(sequences, 1, 1, starts=True)
    clock.now_s = 10
    assert add(sequences, 2, 1, starts=True) == 1


def test_a_second_start_is_refused_as_in_ovms(clock: Clock) -> None:
    sequences = table(clock)
    add(sequences, 1, 5, starts=True)
    with pytest.raises(AlreadyExists, match="Sequence with provided ID already exists - model 'm' version 1"):
        add(sequences, 1, 1, starts=True)
    assert add(sequences, 1, 1) == 6


def test_a_second_start_begins_anew_as_in_triton(clock: Clock) -> None:
    sequences = table(clock, Form.TRITON, limit=1)
    add(sequences, 1, 5, starts=True)
    assert [add(sequences, 1, 1, starts=True), add(sequences, 1, 1)] == [1, 2]


def test_ids_are_drawn_for_those_who_start_with_none(clock: Clock) -> None:
    sequences = table(clock)
    names = set()
    for _ in range(3):
        with sequences.turn(InSequence(0, starts=True), Patient()) as turn:
            names.add(turn.id)
    assert len(names) == 3
    assert all(0 < name < 2**53 and sequences.knows(name) for name in names)


def fail(sequences: Table, name: int, **flags: bool) -> None:
    with pytest.raises(ZeroDivisionError), sequences.turn(InSequence(name, **flags), Patient()) as turn:
        turn.kept = 1 // 0


@pytest.mark.parametrize("flags", [{}, {"ends": True}], ids=["middle", "end"])
def test_a_request_that_fails_leaves_all_as_it_was(clock: Clock, flags: dict[str, bool]) -> None:
    sequences = table(clock)
    add(sequences, 1, 5, starts=True)
    fail(sequences, 1, **flags)
    assert add(sequences, 1, 1) == 6


def test_a_start_that_fails_starts_nothing(clock: Clock) -> None:
    sequences = table(clock)
    fail(sequences, 1, starts=True)
    assert sequences.active == 0


def test_a_new_start_that_fails_leaves_the_sequence_before(clock: Clock) -> None:
    sequences = table(clock, Form.TRITON)
    add(sequences, 1, 5, starts=True)
    fail(sequences, 1, starts=True)
    assert add(sequences, 1, 1) == 6


class Holding:
    """Holds the turn of a sequence until `release`, and lets others queue up behind."""

    def __init__(self, executor: ThreadPoolExecutor, sequences: Table, at: InSequence) -> None:
        self._has_it = threading.Event()
        self._free = threading.Event()
        self._executor = executor
        self._sequences = sequences
        self.done = executor.submit(self._hold, at)
        assert self._has_it.wait(10)

    def _hold(self, at: InSequence) -> None:
        with self._sequences.turn(at, Patient()) as turn:
            turn.kept = (turn.kept or 0) + 1
            self._has_it.set()
            assert self._free.wait(10)

    def queue(self, at: InSequence, caller: Caller | None = None) -> "Future[int]":
        caller = caller or Caller()
        future = self._executor.submit(self._add, at, caller)
        assert caller.waits.wait(10)
        return future

    def _add(self, at: InSequence, caller: Caller) -> int:
        with self._sequences.turn(at, caller) as turn:
            turn.kept = 10 * (turn.kept or 0) + 1
            return turn.kept

    def release(self) -> None:
        self._free.set()
        self.done.result(10)


def test_requests_of_a_sequence_run_in_the_order_they_came(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock)
    holding = Holding(executor, sequences, InSequence(1, starts=True))
    waiting = [holding.queue(InSequence(1)) for _ in range(5)]
    holding.release()
    assert [future.result(10) for future in waiting] == [11, 111, 1111, 11111, 111111]


def test_sequences_do_not_wait_for_each_other(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock)
    holding = Holding(executor, sequences, InSequence(1, starts=True))
    assert add(sequences, 2, 3, starts=True) == 3
    holding.release()


def test_after_the_last_request_came_there_is_no_other(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock)
    add(sequences, 1, 1, starts=True)
    holding = Holding(executor, sequences, InSequence(1, ends=True))
    with pytest.raises(SequenceEnded, match="sequence 1 was asked to end"):
        add(sequences, 1, 1)
    holding.release()
    assert sequences.active == 0


def test_a_new_sequence_of_the_same_id_waits_for_the_end_in_triton(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock, Form.TRITON, limit=1)
    add(sequences, 1, 1, starts=True)
    holding = Holding(executor, sequences, InSequence(1, ends=True))
    with pytest.raises(NotInSequence):
        add(sequences, 1, 1)
    waiting = [holding.queue(InSequence(1, starts=True)), holding.queue(InSequence(1))]
    holding.release()
    assert [future.result(10) for future in waiting] == [1, 11]
    assert sequences.active == 1


def test_what_waited_for_a_start_that_failed_is_unknown(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock)
    caller = Caller()

    def start() -> None:
        with sequences.turn(InSequence(1, starts=True), Patient()):
            executor.submit(queued)
            assert caller.waits.wait(10)
            raise ZeroDivisionError

    outcome: Future[type[BaseException]] = Future()

    def queued() -> None:
        try:
            with sequences.turn(InSequence(1), caller):
                outcome.set_result(int)
        except UnknownSequence as error:
            outcome.set_result(type(error))

    with pytest.raises(ZeroDivisionError):
        start()
    assert outcome.result(10) is UnknownSequence


def test_who_waits_may_go_or_be_late(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock)
    holding = Holding(executor, sequences, InSequence(1, starts=True))
    caller = Caller()
    gone, late = holding.queue(InSequence(1), caller), holding.queue(InSequence(1), Caller(0.001))
    caller.go()
    with pytest.raises(Cancelled, match="sequence 1: the caller went away"):
        gone.result(10)
    with pytest.raises(DeadlineExceeded):
        late.result(10)
    holding.release()
    assert add(sequences, 1, 1) == 2


def test_an_end_that_is_cancelled_ends_nothing(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock)
    holding = Holding(executor, sequences, InSequence(1, starts=True))
    caller = Caller()
    gone = holding.queue(InSequence(1, ends=True), caller)
    caller.go()
    with pytest.raises(Cancelled):
        gone.result(10)
    holding.release()
    assert add(sequences, 1, 1) == 2


def test_so_many_may_wait_in_all_sequences_together(clock: Clock, executor: ThreadPoolExecutor) -> None:
    sequences = table(clock, most=2)
    holding = Holding(executor, sequences, InSequence(1, starts=True))
    waiting = holding.queue(InSequence(1))
    with pytest.raises(Overloaded, match="2 requests of sequences are inside already"):
        add(sequences, 2, 1, starts=True)
    holding.release()
    assert waiting.result(10) == 11
