"""Requests that wait for each other, with threads and without a model."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf

import pytest

from ovserve.config.dynamic_batching import DynamicBatching, QueuePolicy
from ovserve.errors import Cancelled, DeadlineExceeded, InferenceFailed, NoTurn, Overloaded, OVServeError
from ovserve.serving.batching.batcher import Batcher, Wish

FOR_EVER_US = 3600 * 1_000_000


class FakeCaller:
    """A caller that tells when it began to wait, and that can be made to go away."""

    def __init__(self, time_remaining_s: float = inf) -> None:
        self._time_remaining_s = time_remaining_s
        self._callback: Callable[[], None] = lambda: None
        self.waits = threading.Event()

    def time_remaining(self) -> float:
        self.waits.set()
        return self._time_remaining_s

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._callback = callback
        return True

    def go(self) -> None:
        self._callback()


class Model:
    """Answers each with its own name, group by group as the test lets it, and remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[str] = []
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.gates: dict[str, threading.Semaphore] = {}  # of those that may not end with the others

    def run(self, names: Sequence[str]) -> list[str | OVServeError]:
        self.groups.append("".join(names))
        self.begun.release()
        assert self.gates.get("".join(names), self.may_end).acquire(timeout=30)
        if "!" in names:
            raise RuntimeError("a fault")
        return [InferenceFailed("bad") if name == "?" else name for name in names]


class Crowd:
    """One batcher, and threads that ask it."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.model = Model()
        self._threads = threads

    def batched(
        self, batching: DynamicBatching, *, most: int = 4, seats: int = 1, max_queue: int = 10, timeout_s: float = inf
    ) -> None:
        self.batcher = Batcher(
            batching,
            most=most,
            seats=seats,
            owner="model 'm' version 1",
            max_queue=max_queue,
            queue_timeout_s=None if timeout_s == inf else timeout_s,
        )

    def ask(self, name: str, *, admitted: bool = False) -> "Future[str]":
        return self._threads.submit(
            self.batcher.submit, Wish(name, 1, ()), FakeCaller(), self.model.run, admitted=admitted
        )

    def begin(self, name: str = "a") -> "Future[str]":
        """Ask what runs at once."""
        future = self.ask(name)
        assert self.model.begun.acquire(timeout=30)
        return future

    def wait(self, name: str, caller: FakeCaller | None = None, **fields: int) -> "Future[str]":
        """Ask what has to wait, and see it wait."""
        caller = caller or FakeCaller()
        future = self._threads.submit(self.batcher.submit, Wish(name, 1, (), **fields), caller, self.model.run)
        assert caller.waits.wait(30)
        return future

    def end(self, count: int) -> None:
        for _ in range(count):
            self.model.may_end.release()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with ThreadPoolExecutor(16) as threads:
        found = Crowd(threads)
        yield found
        found.end(100)


def test_who_waits_for_a_seat_runs_together_and_gets_his_own(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching())
    futures = [crowd.begin(), *map(crowd.wait, "bcd")]
    crowd.end(2)
    assert [future.result(30) for future in futures] == list("abcd")
    assert crowd.model.groups == ["a", "bcd"]


def test_as_many_groups_run_as_there_are_seats(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(), seats=2)
    futures = [crowd.begin("a"), crowd.begin("b"), crowd.wait("c"), crowd.wait("d")]
    assert crowd.batcher.running_along == 0
    crowd.end(1)
    assert crowd.model.begun.acquire(timeout=30)
    assert crowd.batcher.running_along == 1
    crowd.end(2)
    assert [future.result(30) for future in futures] == list("abcd")
    assert crowd.model.groups == ["a", "b", "cd"]


def test_a_full_group_does_not_wait_for_the_delay(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(delay_us=FOR_EVER_US), most=2)
    crowd.end(1)
    futures = [crowd.wait("a"), crowd.ask("b")]
    assert [future.result(30) for future in futures] == ["a", "b"]
    assert crowd.model.groups == ["ab"]


def test_a_delay_ends_for_who_is_alone(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(delay_us=1000))
    crowd.end(1)
    assert crowd.wait("a").result(30) == "a"


def test_the_error_of_one_is_not_that_of_another(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching())
    futures = [crowd.begin(), *map(crowd.wait, "b?")]
    crowd.end(2)
    assert futures[1].result(30) == "b"
    with pytest.raises(InferenceFailed, match="bad"):
        futures[2].result(30)


def test_a_fault_keeps_nobody_waiting_and_the_next_group_runs(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(), most=2)
    futures = [crowd.begin(), *map(crowd.wait, "!bc")]
    crowd.end(3)
    with pytest.raises(RuntimeError):
        futures[1].result(30)
    with pytest.raises(OVServeError, match="internal error"):
        futures[2].result(30)
    assert futures[3].result(30) == "c"


def test_who_goes_is_not_run(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching())
    gone = FakeCaller()
    futures = [crowd.begin(), crowd.wait("b", gone), crowd.wait("c")]
    gone.go()
    with pytest.raises(Cancelled, match="the caller went away while the request was waiting"):
        futures[1].result(30)
    crowd.end(2)
    assert futures[2].result(30) == "c"
    assert crowd.model.groups == ["a", "c"]


def test_who_goes_while_his_group_runs_spoils_nothing(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching())
    gone = FakeCaller()
    first = crowd.begin()
    futures = [crowd.wait("b", gone), crowd.wait("c")]
    crowd.end(1)
    first.result(30)
    assert crowd.model.begun.acquire(timeout=30)
    gone.go()
    crowd.end(1)
    assert [future.result(30) for future in futures] == ["b", "c"]


def test_a_deadline_ends_the_wait(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching())
    crowd.begin()
    with pytest.raises(DeadlineExceeded, match="the deadline passed while the request was waiting for its turn"):
        crowd.wait("b", FakeCaller(0.01)).result(30)


def test_queue_timeout_ends_the_wait(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(), timeout_s=0.01)
    crowd.begin()
    with pytest.raises(Overloaded, match=r"no turn came within 0.01 s, as long as queue_timeout allows"):
        crowd.wait("b").result(30)


def test_one_more_than_max_queue_is_refused_unless_it_was_let_in_before(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(), max_queue=1)
    crowd.begin()
    waiting = crowd.wait("b")
    with pytest.raises(Overloaded, match="1 requests are waiting already, as many as max_queue allows"):
        crowd.batcher.submit(Wish("c", 1, ()), FakeCaller(), crowd.model.run)
    crowd.end(2)
    admitted = crowd.ask("d", admitted=True)
    crowd.end(1)
    assert (waiting.result(30), admitted.result(30)) == ("b", "d")


def test_without_a_queue_what_finds_a_seat_runs(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(), max_queue=0)
    crowd.end(1)
    assert crowd.begin().result(30) == "a"


LEVELS = DynamicBatching(levels=3, default_level=2, policies={3: QueuePolicy(max_queue_size=1)})


def test_urgent_ones_go_first_and_what_is_no_level_has_the_default(crowd: Crowd) -> None:
    crowd.batched(LEVELS, most=1)
    futures = [crowd.begin("a")]
    futures += [crowd.wait(name, priority=level) for name, level in (("c", 3), ("d", 0), ("e", 1), ("f", 9))]
    crowd.end(5)
    assert sorted(future.result(30) for future in futures) == list("acdef")
    assert crowd.model.groups == ["a", "e", "d", "f", "c"]


def test_max_queue_size_is_of_each_level(crowd: Crowd) -> None:
    crowd.batched(LEVELS)
    crowd.begin()
    crowd.wait("b", priority=3)
    with pytest.raises(NoTurn, match="1 requests of priority level 3 are waiting already, as many as max_queue_size"):
        crowd.batcher.submit(Wish("c", 1, (), priority=3), FakeCaller(), crowd.model.run)
    crowd.wait("d", priority=2)
    crowd.wait("e", priority=2)


def test_reject_refuses_who_waited_too_long(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(policy=QueuePolicy(timeout_us=10_000)))
    crowd.begin()
    with pytest.raises(NoTurn, match=r"no turn came within 0.01 s, as long as the queue policy"):
        crowd.wait("b").result(30)
    crowd.end(1)


def test_delay_has_who_waited_too_long_go_behind_the_others(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(policy=QueuePolicy(delays=True, allows_override=True)), most=1)
    futures = [crowd.begin("a"), crowd.wait("b", timeout_us=1), crowd.wait("c")]
    crowd.end(3)
    assert [future.result(30) for future in futures] == ["a", "b", "c"]
    assert crowd.model.groups == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("policy", "asked_us", "expected_s"),
    [
        (QueuePolicy(), 5, None),
        (QueuePolicy(2_000_000), 5, 2.0),
        (QueuePolicy(2_000_000, allows_override=True), 1_000_000, 1.0),
        (QueuePolicy(2_000_000, allows_override=True), 3_000_000, 2.0),
        (QueuePolicy(allows_override=True), 1_000_000, 1.0),
        (QueuePolicy(2_000_000, allows_override=True), 0, 2.0),
    ],
)
def test_a_request_may_only_shorten_its_time(policy: QueuePolicy, asked_us: int, expected_s: float | None) -> None:
    assert policy.timeout_s(asked_us) == expected_s


def test_answers_that_keep_the_order_wait_for_those_before_them(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(keeps_order=True), most=1, seats=2)
    crowd.model.gates["a"] = threading.Semaphore(0)
    first, second = crowd.begin("a"), crowd.begin("b")
    crowd.end(1)
    third = crowd.begin("c")  # in the seat that the second has left
    assert not second.done()
    crowd.model.gates["a"].release()
    assert (first.result(30), second.result(30)) == ("a", "b")
    crowd.end(1)
    assert third.result(30) == "c"


def test_who_leaves_does_not_keep_the_order_waiting(crowd: Crowd) -> None:
    crowd.batched(DynamicBatching(keeps_order=True), most=1)
    gone = FakeCaller()
    futures = [crowd.begin("a"), crowd.wait("b", gone), crowd.wait("c")]
    gone.go()
    crowd.end(2)
    assert [futures[0].result(30), futures[2].result(30)] == ["a", "c"]
