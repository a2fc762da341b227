"""Which requests an instance of a Python model gets, and what becomes of them."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovserve.config.declared import Document
from ovserve.config.model import ModelConfig
from ovserve.config.triton import DONE_BY_SERVER, read_triton
from ovserve.engine.python_backend.instance import Answer, Asked, Later, Result
from ovserve.errors import Cancelled, InferenceFailed, Overloaded, WrongShape
from ovserve.requests import Caller, Patient
from ovserve.serving.company import Company
from ovserve.serving.executions import Executed, Executions
from ovserve.serving.presence import Presence
from ovserve.tensors import DType, Tensor, TensorSpec

ANSWER = Answer({})


def answer_all(requests: Sequence[Asked]) -> list[Result]:
    return [ANSWER for _ in requests]


@dataclass
class Told:
    """An instance that does as it is told."""

    does: Callable[[Sequence[Asked]], list[Result]] = answer_all
    seen: list[Sequence[Asked]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    optional: frozenset[str] = frozenset()
    document: Document = field(default_factory=dict)
    is_decoupled = False

    def when_up(self, callback: Callable[[], None]) -> None:
        callback()

    def execute(self, requests: Sequence[Asked]) -> list[Result]:
        self.seen.append(requests)
        assert self.gate.wait(60)
        return self.does(requests)

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to end."""

    @property
    def sizes(self) -> list[int]:
        return [len(requests) for requests in self.seen]


def executions(instance: Told, most: int = 2, batching: Mapping[str, Any] | None = None) -> Executions:
    """Groups that wait until they are full."""
    document = {
        "backend": "python",
        "max_batch_size": most,
        "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1]}],
        "dynamic_batching": {"max_queue_delay_microseconds": 60_000_000} if batching is None else batching,
    }
    config = ModelConfig(name="m", base_path=Path("m"), declared=read_triton(document, DONE_BY_SERVER))
    return Executions(config, [instance], "model 'm' version 1")


def tensor(*shape: int) -> Tensor:
    return Tensor(DType.FP32, np.zeros(shape, np.float32))


def run(to: Executions, *, waits: bool = True, caller: Caller | None = None, **inputs: Tensor) -> Executed:
    presence = Presence(caller or Patient())
    asked = Asked(inputs or {"x": tensor(1, 3)}, (), caller=presence, is_cancelled=presence.is_gone)
    return to.run(asked, presence, admitted=False, waits=waits)


def opened(does: Callable[[Sequence[Asked]], list[Result]] = answer_all) -> Told:
    told = Told(does)
    told.gate.set()
    return told


def test_one_of_a_group_stands_for_the_execution() -> None:
    told = opened()
    to = executions(told)
    with ThreadPoolExecutor(2) as threads:
        found = [future.result() for future in [threads.submit(run, to) for _ in range(2)]]
    assert told.sizes == [2]
    assert sorted(one.size or 0 for one in found) == [0, 2]
    assert found[0].took_ns == found[1].took_ns


def test_one_that_was_answered_does() -> None:
    error = InferenceFailed("it fails")
    to = executions(opened(lambda _: [error, ANSWER]))
    with ThreadPoolExecutor(2) as threads:
        found = [future.result() for future in [threads.submit(run, to) for _ in range(2)]]
    assert {isinstance(one.result, InferenceFailed): one.size for one in found} == {True: 0, False: 2}


def test_an_error_for_all_is_one_for_each() -> None:
    error = InferenceFailed("it fails")
    to = executions(opened(lambda requests: [error for _ in requests]))
    with ThreadPoolExecutor(2) as threads:
        found = [future.result().result for future in [threads.submit(run, to) for _ in range(2)]]
    assert [str(one) for one in found] == ["it fails"] * 2
    assert found[0] is not found[1]


def test_who_is_to_come_again_joins_another_group() -> None:
    results: list[list[Result]] = [[Later.AGAIN, ANSWER], [ANSWER, ANSWER]]
    told = opened(lambda _: results.pop(0))
    to = executions(told)
    with ThreadPoolExecutor(3) as threads:
        found = [future.result() for future in [threads.submit(run, to) for _ in range(3)]]
    assert told.sizes == [2, 2]
    assert [one.result for one in found] == [ANSWER] * 3
    assert sum(one.size or 0 for one in found) == 4


def test_who_must_not_wait_is_in_no_group() -> None:
    told = opened()
    assert run(executions(told), waits=False).size is None
    assert told.sizes == [1]


def test_without_a_batch_size_each_is_executed_by_itself() -> None:
    told = opened()
    to = executions(told, most=0, batching={})
    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(run, to) for _ in range(8)]:
            future.result()
    assert told.sizes == [1] * 8


def test_no_row_is_executed_by_itself() -> None:
    told = opened()
    run(executions(told), x=tensor(0, 3))
    assert told.sizes == [1]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"x": tensor(1, 3), "w": tensor(2, 3)}, "input 'w' has a batch of 2, expected 1 as 'x' has"),
        ({"x": tensor(3, 3)}, "expected a batch of at most max_batch_size 2, got 3"),
        ({"x": tensor()}, "input 'x' has no dimensions, expected a batch as the first one"),
    ],
)
def test_what_is_no_batch_is_refused(inputs: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(WrongShape, match=f"^model 'm' version 1: {sentence}$"):
        run(executions(opened()), **inputs)


@pytest.mark.parametrize("other", [{"x": tensor(1, 4)}, {"x": tensor(1, 3), "w": tensor(1, 3)}])
def test_other_inputs_are_of_another_group(other: dict[str, Tensor]) -> None:
    told = opened()
    to = executions(told)
    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(run, to, **inputs) for inputs in ({"x": tensor(1, 3)}, other) * 2]:
            future.result()
    assert told.sizes == [2, 2]
    assert all(set(group[0].inputs) == set(group[1].inputs) for group in told.seen)


class Leaving:
    """A caller who can go."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def time_remaining(self) -> float:
        return float("inf")

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._callbacks.append(callback)
        return True

    def go(self) -> None:
        for callback in self._callbacks:
            callback()


def wait_until(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until_s


def test_who_goes_while_the_group_waits_for_the_instance_is_left_out() -> None:
    told = Told()
    to = executions(told)
    leaving = Leaving()
    with ThreadPoolExecutor(3) as threads:
        holding = threads.submit(run, to, waits=False)
        wait_until(lambda: told.sizes == [1])
        gone: Future[Executed] = threads.submit(run, to, caller=leaving)
        staying = threads.submit(run, to)
        wait_until(lambda: to.running == 3 - 1)  # one on the instance, one along with the first of the group
        leaving.go()
        told.gate.set()
        assert holding.result().result is ANSWER
        assert staying.result().size == 1
        with pytest.raises(Cancelled, match=r"^model 'm' version 1: the caller went away while the request was wait"):
            gone.result()
    assert told.sizes == [1, 1]


def test_a_full_queue_refuses() -> None:
    told = Told()
    to = executions(told, batching={})
    with ThreadPoolExecutor(64) as threads:
        asked = [threads.submit(run, to) for _ in range(64)]
        wait_until(lambda: sum(one.done() for one in asked) >= 64 - to.admitted_at_once)
        told.gate.set()
        failures = [one.exception() for one in asked if one.exception()]
    assert len(failures) >= 64 - to.admitted_at_once > 0
    assert all(isinstance(failure, Overloaded) for failure in failures)


def test_a_company_has_gone_when_all_have() -> None:
    callers, called = [Leaving(), Leaving()], []
    assert Company(callers).add_callback(lambda: called.append(1))
    callers[0].go()
    assert called == []
    callers[1].go()
    assert called == [1]


def test_of_a_company_that_has_gone_already_nobody_calls() -> None:
    presences = [Presence(Patient()), Presence(Patient())]
    company = Company(presences)
    presences[0].leave()
    assert company.add_callback(lambda: None)
    presences[1].leave()
    assert not company.add_callback(lambda: pytest.fail("called"))


def test_a_call_made_for_a_group_ends_with_the_last_of_it() -> None:
    callers, gone = [Leaving(), Leaving()], []

    def call(requests: Sequence[Asked]) -> list[Result]:
        on_behalf_of = [asked.caller for asked in requests]
        for caller in callers:
            gone.append(not any(one.add_callback(lambda: None) for one in on_behalf_of))
            caller.go()
        gone.append(not any(one.add_callback(lambda: None) for one in on_behalf_of))
        return answer_all(requests)

    to = executions(opened(call))
    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(run, to, caller=caller) for caller in callers]:
            future.result()
    assert gone == [False, False, True]
