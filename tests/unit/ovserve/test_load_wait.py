"""Requests wait for a version that is still loading."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf
from types import SimpleNamespace

import pytest

from ovserve.dataplane import DataPlane
from ovserve.errors import Cancelled, DeadlineExceeded, NotFound, NotReady
from ovserve.requests import InferRequest, Patient
from ovserve.serving.load_wait import LoadWait
from ovserve.serving.registry import Registry, State, VersionStatus

MODEL = SimpleNamespace(admitted_at_once=1, infer=lambda request, caller: "answer")
LOADING = VersionStatus(State.LOADING)
LONG_S = 60.0
SHORT_S = 0.05


class Caller:
    """A caller that tells when it began to wait, and that can be made to go away."""

    def __init__(self, time_remaining_s: float = inf, *, gone: bool = False) -> None:
        self._time_remaining_s = time_remaining_s
        self._gone = gone
        self.go: Callable[[], None] = lambda: None
        self.waits = threading.Event()

    def time_remaining(self) -> float:
        return self._time_remaining_s

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self.go = callback
        self.waits.set()
        return not self._gone


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.put("m", 1, LOADING)
    return made


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(100) as threads:
        yield threads


def waiting(executor: ThreadPoolExecutor, room: LoadWait, caller: Caller | None = None) -> "Future[object]":
    caller = caller or Caller()
    future = executor.submit(room.find, "m", None, caller)
    assert caller.waits.wait(10)
    return future


def test_without_patience_it_is_refused_at_once(registry: Registry) -> None:
    with pytest.raises(NotReady, match="model 'm' is still loading; try again later"):
        LoadWait(registry, 0).find("m", None, Patient())


def test_it_gets_the_version_once_that_is_loaded(registry: Registry, executor: ThreadPoolExecutor) -> None:
    future = waiting(executor, LoadWait(registry, LONG_S))
    registry.put("other", 1, VersionStatus(State.AVAILABLE, MODEL))
    registry.put("m", 1, VersionStatus(State.AVAILABLE, MODEL))
    assert future.result(10) is MODEL


def test_it_is_told_why_the_version_cannot_be_loaded(registry: Registry, executor: ThreadPoolExecutor) -> None:
    future = waiting(executor, LoadWait(registry, LONG_S))
    registry.put("m", 1, VersionStatus(State.LOADING, cause="broken"))
    with pytest.raises(NotFound, match="model 'm' is not available: version 1: broken"):
        future.result(10)


def test_what_is_unknown_is_not_waited_for(registry: Registry) -> None:
    with pytest.raises(NotFound):
        LoadWait(registry, LONG_S).find("nope", None, Patient())


def test_its_patience_ends(registry: Registry) -> None:
    with pytest.raises(NotReady, match="model 'm' is still loading"):
        LoadWait(registry, SHORT_S).find("m", None, Caller(10))


def test_its_deadline_comes_first(registry: Registry) -> None:
    with pytest.raises(DeadlineExceeded, match="model 'm': the deadline passed while the model was loading"):
        LoadWait(registry, LONG_S).find("m", None, Caller(SHORT_S))


def test_a_caller_that_goes_leaves(registry: Registry, executor: ThreadPoolExecutor) -> None:
    caller = Caller()
    future = waiting(executor, LoadWait(registry, LONG_S), caller)
    caller.go()
    with pytest.raises(Cancelled):
        future.result(10)


def test_a_caller_that_has_gone_does_not_wait(registry: Registry) -> None:
    with pytest.raises(Cancelled):
        LoadWait(registry, LONG_S).find("m", None, Caller(gone=True))


def test_one_more_than_may_wait_is_refused_at_once(registry: Registry, executor: ThreadPoolExecutor) -> None:
    room = LoadWait(registry, LONG_S)
    futures = [waiting(executor, room) for _ in range(room.most)]
    while room._waiting < room.most:  # they are between their caller and the queue
        pass
    with pytest.raises(NotReady, match="is still loading; try again later; 64 requests wait for models"):
        room.find("m", None, Patient())
    registry.put("m", 1, VersionStatus(State.AVAILABLE, MODEL))
    assert [future.result(10) for future in futures] == [MODEL] * room.most
    assert room._waiting == 0


def test_a_server_that_stops_refuses_those_who_wait(registry: Registry, executor: ThreadPoolExecutor) -> None:
    dataplane = DataPlane(registry, load_wait_seconds=LONG_S)
    caller = Caller()
    future = executor.submit(dataplane.infer, InferRequest("m", {}), caller)
    assert caller.waits.wait(10)
    dataplane.close()
    with pytest.raises(NotReady, match="the server is stopping"):
        future.result(10)
    assert dataplane.drain(10)
