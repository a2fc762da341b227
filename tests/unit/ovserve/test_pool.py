import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from math import inf

import pytest

from ovserve.engine.pool import Queue, SlotPool
from ovserve.errors import Cancelled, DeadlineExceeded, Overloaded


class FakeCaller:
    """A caller that tells when it began to wait, and that can be made to go away."""

    def __init__(self, time_remaining_s: float = inf, *, gone: bool = False) -> None:
        self._time_remaining_s = time_remaining_s
        self._gone = gone
        self._callback: Callable[[], None] = lambda: None
        self.waits = threading.Event()

    def time_remaining(self) -> float:
        return self._time_remaining_s

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if self._gone:
            return False
        self._callback = callback
        self.waits.set()
        return True

    def go(self) -> None:
        self._gone = True
        self._callback()


def pool_of(slots: int, *, max_queue: int = 10, queue_timeout_s: float | None = None) -> SlotPool[int]:
    return SlotPool(range(slots), Queue("model 'm' version 1", max_queue, queue_timeout_s))


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def borrow(pool: SlotPool[int], caller: FakeCaller, then: Callable[[int], None] = lambda _: None) -> int:
    with pool.slot(caller) as slot:
        then(slot)
        return slot


def waiting(
    executor: ThreadPoolExecutor, pool: SlotPool[int], caller: FakeCaller, then: Callable[[int], None] = lambda _: None
) -> "Future[int]":
    future = executor.submit(borrow, pool, caller, then)
    assert caller.waits.wait(10)
    return future


def test_a_free_slot_is_lent_at_once() -> None:
    assert borrow(pool_of(1), FakeCaller()) == 0


def test_a_slot_comes_back_after_an_exception() -> None:
    pool = pool_of(1)
    with pytest.raises(ZeroDivisionError), pool.slot(FakeCaller()):
        raise ZeroDivisionError
    assert borrow(pool, FakeCaller()) == 0


def test_waiting_requests_are_served_in_the_order_they_came(executor: ThreadPoolExecutor) -> None:
    pool = pool_of(1)
    served: list[int] = []
    with pool.slot(FakeCaller()):
        futures = [waiting(executor, pool, FakeCaller(), lambda _, n=n: served.append(n)) for n in range(5)]
    for future in futures:
        future.result(10)
    assert served == [0, 1, 2, 3, 4]


def test_one_request_more_than_max_queue_is_refused(executor: ThreadPoolExecutor) -> None:
    pool = pool_of(1, max_queue=2)
    with pool.slot(FakeCaller()):
        waiters = [waiting(executor, pool, FakeCaller()) for _ in range(2)]
        with pytest.raises(Overloaded, match="model 'm' version 1: 2 requests are waiting already"):
            borrow(pool, FakeCaller())
    assert [waiter.result(10) for waiter in waiters] == [0, 0]


def test_max_queue_zero_refuses_whatever_cannot_run_at_once() -> None:
    pool = pool_of(1, max_queue=0)
    with pool.slot(FakeCaller()), pytest.raises(Overloaded):
        borrow(pool, FakeCaller())
    assert borrow(pool, FakeCaller()) == 0


def test_a_caller_who_goes_leaves_the_queue(executor: ThreadPoolExecutor) -> None:
    pool = pool_of(1, max_queue=1)
    with pool.slot(FakeCaller()):
        caller = FakeCaller()
        gone = waiting(executor, pool, caller)
        caller.go()
        with pytest.raises(Cancelled):
            gone.result(10)
        stays = waiting(executor, pool, FakeCaller())  # there is room again
    assert stays.result(10) == 0


def test_a_caller_who_went_before_waiting_is_not_served() -> None:
    pool = pool_of(1)
    with pool.slot(FakeCaller()), pytest.raises(Cancelled):
        borrow(pool, FakeCaller(gone=True))
    assert borrow(pool, FakeCaller()) == 0


def test_a_deadline_ends_the_waiting() -> None:
    pool = pool_of(1)
    with pool.slot(FakeCaller()), pytest.raises(DeadlineExceeded):
        borrow(pool, FakeCaller(time_remaining_s=0.01))
    assert borrow(pool, FakeCaller()) == 0


def test_queue_timeout_ends_the_waiting() -> None:
    pool = pool_of(1, queue_timeout_s=0.01)
    with pool.slot(FakeCaller()), pytest.raises(Overloaded, match=r"no turn came within 0.01 s"):
        borrow(pool, FakeCaller())


def test_however_callers_come_wait_and_go_every_slot_is_lent_to_one_at_a_time_and_comes_back_once() -> None:
    pool = pool_of(3, max_queue=4)
    busy: set[int] = set()
    lock = threading.Lock()

    def use(slot: int) -> None:
        with lock:
            assert slot not in busy
            busy.add(slot)
        with lock:
            busy.remove(slot)

    def hammer(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            caller = FakeCaller(time_remaining_s=chance.choice([inf, inf, 0.0001]))
            canceller = threading.Thread(target=caller.go) if chance.random() < 0.3 else None
            if canceller is not None:
                canceller.start()
            with suppress(Overloaded, Cancelled, DeadlineExceeded):
                borrow(pool, caller, use)
            if canceller is not None:
                canceller.join()

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(hammer, seed) for seed in range(8)]:
            future.result(60)
    with pool.slot(FakeCaller()) as a, pool.slot(FakeCaller()) as b, pool.slot(FakeCaller()) as c:
        assert {a, b, c} == {0, 1, 2}
        with pytest.raises(DeadlineExceeded):
            borrow(pool, FakeCaller(time_remaining_s=0.001))
