import threading
from queue import Empty, SimpleQueue

import pytest

from ovserve.handler_threads import HandlerThreads

TIMEOUT_S = 20


class Calls:
    """Calls that say when they begin, and end when they are told to."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[int] = SimpleQueue()
        self.end = threading.Semaphore(0)

    def run(self, number: int) -> None:
        self.begun.put(number)
        assert self.end.acquire(timeout=TIMEOUT_S)

    def next_begun(self) -> int:
        return self.begun.get(timeout=TIMEOUT_S)

    def none_begins(self) -> bool:
        try:
            self.begun.get(timeout=0.1)
        except Empty:
            return True
        return False


@pytest.fixture
def threads() -> HandlerThreads:
    return HandlerThreads("test")


def test_calls_run_side_by_side_up_to_the_number_allowed(threads: HandlerThreads) -> None:
    threads.allow(2)
    calls = Calls()
    for number in range(3):
        threads.submit(calls.run, number)
    assert {calls.next_begun(), calls.next_begun()} == {0, 1}
    assert calls.none_begins()
    calls.end.release()
    assert calls.next_begun() == 2
    calls.end.release(2)


def test_after_the_number_is_raised_every_call_has_a_thread_even_if_calls_had_to_wait_before(
    threads: HandlerThreads,
) -> None:
    threads.allow(1)
    calls = Calls()
    for number in range(4):
        threads.submit(calls.run, number)
    calls.end.release(4)
    assert [calls.next_begun() for _ in range(4)] == [0, 1, 2, 3]
    threads.allow(4)
    for number in range(4):
        threads.submit(calls.run, number)
    assert {calls.next_begun() for _ in range(4)} == {0, 1, 2, 3}
    calls.end.release(4)


def test_a_number_once_allowed_stays(threads: HandlerThreads) -> None:
    threads.allow(2)
    threads.allow(1)
    calls = Calls()
    for number in range(2):
        threads.submit(calls.run, number)
    assert {calls.next_begun(), calls.next_begun()} == {0, 1}
    calls.end.release(2)


def test_a_call_that_fails_costs_no_thread(threads: HandlerThreads, caplog: pytest.LogCaptureFixture) -> None:
    threads.allow(1)
    calls = Calls()
    threads.submit(int, "no number")
    threads.submit(calls.run, 0)
    assert calls.next_begun() == 0
    assert "a call ended with an internal error" in caplog.text
    calls.end.release()
