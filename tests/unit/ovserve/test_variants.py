"""When shapes are compiled, kept, waited for and refused; the compiler is a fake."""

import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf

import pytest

from ovserve.engine.refused import CannotReshape, Refused
from ovserve.errors import Cancelled, DeadlineExceeded, InferenceFailed, Overloaded, ShapeRefused
from ovserve.requests import Patient
from ovserve.serving.variants import Shapes, Variants


class Variant:
    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes


GENERAL = Variant(())


def s(*lengths: int) -> Shapes:
    return (lengths,)


class FakeCompiler:
    """Compiles what it may; a length of 13 is refused, 14 fails, 15 is a fault. While `gate` is shut, it waits."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[Shapes] = []
        self.compiled: list[Shapes] = []
        self.changed = threading.Condition()

    def compile(self, shapes: Shapes) -> Variant:
        with self.changed:
            self.begun.append(shapes)
            self.changed.notify_all()
        assert self.gate.wait(10)
        self.check(shapes)
        if shapes == s(14):
            raise Refused("the device does not like it")
        if shapes == s(15):
            raise KeyError("ours")
        with self.changed:
            self.compiled.append(shapes)
        return Variant(shapes)

    def check(self, shapes: Shapes) -> None:
        if shapes == s(13):
            raise CannotReshape("unlucky")

    def wait_begun(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.begun) >= count, 10)


class FakeCaller:
    """A caller of limited patience, who tells when waiting begins and can go away."""

    def __init__(self, patience_s: float = inf) -> None:
        self.patience_s = patience_s
        self.waits = threading.Event()

    def time_remaining(self) -> float:
        return self.patience_s

    def add_callback(self, callback: object) -> bool:
        self.go = callback
        self.waits.set()
        return True


@pytest.fixture
def compiler() -> FakeCompiler:
    return FakeCompiler()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


def variants_of(compiler: FakeCompiler, **options: object) -> Variants[Variant]:
    settings = {"capacity": 2, "specialise": True, "max_waiting": 10, "queue_timeout_s": None} | options
    return Variants(GENERAL, compiler, model="m", version=1, **settings)


def find(variants: Variants[Variant], shapes: Shapes) -> Variant:
    return variants.find(shapes, Patient(), general_runs_it=False)


def ask(variants: Variants[Variant], shapes: Shapes) -> Variant:
    return variants.find(shapes, Patient(), general_runs_it=True)


def ask_until_compiled(variants: Variants[Variant], shapes: Shapes) -> None:
    """Ask as clients do, again and again."""
    deadline = threading.Event()
    timer = threading.Timer(10, deadline.set)
    timer.start()
    while ask(variants, shapes) is GENERAL:
        assert not deadline.is_set()
    timer.cancel()


def waiting(
    executor: ThreadPoolExecutor, variants: Variants[Variant], shapes: Shapes, caller: FakeCaller | None = None
) -> "Future[Variant]":
    caller = caller or FakeCaller()
    future = executor.submit(variants.find, shapes, caller, general_runs_it=False)
    assert caller.waits.wait(10)
    return future


def test_many_requests_of_a_new_shape_cause_one_compilation(
    compiler: FakeCompiler, executor: ThreadPoolExecutor
) -> None:
    variants = variants_of(compiler)
    compiler.gate.clear()
    futures = [waiting(executor, variants, s(1)) for _ in range(10)]
    compiler.gate.set()
    found = [future.result(10) for future in futures]
    assert found[0].shapes == s(1)
    assert all(variant is found[0] for variant in found)
    assert find(variants, s(1)) is found[0]
    assert compiler.begun == [s(1)]


def test_what_is_compiled_does_not_wait_for_what_is_not(compiler: FakeCompiler, executor: ThreadPoolExecutor) -> None:
    variants = variants_of(compiler)
    one = find(variants, s(1))
    compiler.gate.clear()
    future = waiting(executor, variants, s(2))
    assert all(find(variants, s(1)) is one for _ in range(100))
    assert all(ask(variants, s(3)) is GENERAL for _ in range(100))
    assert not future.done()
    compiler.gate.set()
    assert future.result(10).shapes == s(2)


def test_a_shape_that_general_runs_is_compiled_when_it_comes_again(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler)
    assert ask(variants, s(1)) is GENERAL
    assert variants._flights == {}
    ask_until_compiled(variants, s(1))
    assert compiler.begun == [s(1)]


def test_a_flood_of_shapes_that_come_once_compiles_none(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler)
    assert all(ask(variants, s(length, length)) is GENERAL for length in range(2000))
    assert compiler.begun == []


def test_without_gain_general_is_enough(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler, specialise=False)
    assert all(ask(variants, s(1)) is GENERAL for _ in range(100))
    assert compiler.begun == []


def test_shapes_that_are_asked_for_alike_do_not_push_each_other_out(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler)
    ask_until_compiled(variants, s(1))
    ask_until_compiled(variants, s(2))
    for _ in range(1000):
        for length in (1, 2, 3, 4):
            ask(variants, s(length))
    assert compiler.begun == [s(1), s(2)]


def test_a_shape_that_is_asked_for_more_often_takes_the_place_of_the_least_recently_used(
    compiler: FakeCompiler,
) -> None:
    variants = variants_of(compiler)
    ask_until_compiled(variants, s(1))
    ask_until_compiled(variants, s(2))
    ask(variants, s(1))
    ask_until_compiled(variants, s(3))
    assert variants.compiled == (s(1), s(3))


def test_a_shape_that_somebody_waits_for_is_compiled_before_those_that_nobody_does(
    compiler: FakeCompiler, executor: ThreadPoolExecutor
) -> None:
    variants = variants_of(compiler, capacity=4)
    compiler.gate.clear()
    first = waiting(executor, variants, s(1))
    compiler.wait_begun(1)
    for length in (2, 2, 3, 3):
        ask(variants, s(length))
    second = waiting(executor, variants, s(4))
    compiler.gate.set()
    assert (first.result(10).shapes, second.result(10).shapes) == (s(1), s(4))
    compiler.wait_begun(4)
    assert compiler.begun == [s(1), s(4), s(2), s(3)]


def test_the_least_recently_used_goes_and_is_freed_by_its_last_user(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler)
    one = find(variants, s(1))
    find(variants, s(2))
    find(variants, s(1))
    find(variants, s(3))
    assert variants.compiled == (s(1), s(3))
    find(variants, s(4))
    assert variants.compiled == (s(3), s(4))
    alive = weakref.ref(one)
    assert alive() is one
    del one
    assert alive() is None
    assert find(variants, s(1)).shapes == s(1)
    assert compiler.begun == [s(1), s(2), s(3), s(4), s(1)]


def test_a_shape_the_model_cannot_take_is_refused_with_the_reason_and_tried_once(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler)
    sentence = r"^model 'm' version 1: Model could not be reshaped with requested shape - \(13\): unlucky$"
    for _ in range(3):
        with pytest.raises(ShapeRefused, match=sentence):
            find(variants, s(13))
    assert compiler.begun == [s(13)]
    assert find(variants, s(1)).shapes == s(1)


def test_a_shape_that_failed_when_it_ran_is_tried_then_refused(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler)
    variants.blame(s(1))
    assert ask(variants, s(13)) is GENERAL
    with pytest.raises(ShapeRefused, match="unlucky"):
        variants.blame(s(13))
    with pytest.raises(ShapeRefused, match="unlucky"):
        ask(variants, s(13))
    assert compiler.begun == []


def test_refusals_are_not_remembered_without_end(compiler: FakeCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(shapes: Shapes) -> None:
        raise CannotReshape("never")

    monkeypatch.setattr(compiler, "check", refuse)
    variants = variants_of(compiler)
    for length in range(1000):
        with pytest.raises(ShapeRefused):
            variants.blame(s(length))
    assert len(variants._refusals) == 64


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [(s(14), "the device does not like it"), (s(15), "internal error while compiling: KeyError")],
    ids=["device", "fault"],
)
def test_a_failed_compilation_fails_its_requests_and_is_tried_again(
    compiler: FakeCompiler, shapes: Shapes, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    variants = variants_of(compiler)
    for _ in range(2):
        with pytest.raises(InferenceFailed, match=sentence):
            find(variants, shapes)
    assert compiler.begun == [shapes, shapes]
    assert find(variants, s(1)).shapes == s(1)
    assert "shape not compiled" in caplog.text


def test_one_request_too_many_is_refused_at_once(compiler: FakeCompiler, executor: ThreadPoolExecutor) -> None:
    variants = variants_of(compiler, max_waiting=2)
    one = find(variants, s(1))
    compiler.gate.clear()
    futures = [waiting(executor, variants, s(length)) for length in (2, 3)]
    with pytest.raises(Overloaded, match=r"^model 'm' version 1: 2 requests are waiting for new shapes"):
        find(variants, s(4))
    assert find(variants, s(1)) is one
    compiler.gate.set()
    assert [future.result(10).shapes for future in futures] == [s(2), s(3)]


def test_a_deadline_ends_the_wait(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler, queue_timeout_s=9)
    compiler.gate.clear()
    with pytest.raises(DeadlineExceeded, match="the deadline passed while the shape was being compiled"):
        variants.find(s(1), FakeCaller(0.01), general_runs_it=False)
    compiler.gate.set()


def test_queue_timeout_ends_the_wait(compiler: FakeCompiler) -> None:
    variants = variants_of(compiler, queue_timeout_s=0.01)
    compiler.gate.clear()
    with pytest.raises(Overloaded, match=r"not compiled within 0\.01 s, as long as queue_timeout allows"):
        variants.find(s(1), FakeCaller(9), general_runs_it=False)
    compiler.gate.set()


def test_what_nobody_waits_for_any_more_is_not_compiled(compiler: FakeCompiler, executor: ThreadPoolExecutor) -> None:
    variants = variants_of(compiler)
    compiler.gate.clear()
    first = waiting(executor, variants, s(1))
    compiler.wait_begun(1)
    leaving = FakeCaller()
    second = waiting(executor, variants, s(2), leaving)
    leaving.go()
    with pytest.raises(Cancelled, match="the caller went away"):
        second.result(10)
    third = waiting(executor, variants, s(3))
    compiler.gate.set()
    assert (first.result(10).shapes, third.result(10).shapes) == (s(1), s(3))
    assert compiler.begun == [s(1), s(3)]


def test_a_caller_who_has_gone_already_does_not_wait(compiler: FakeCompiler) -> None:
    class Gone(Patient):
        def add_callback(self, callback: object) -> bool:
            return False

    variants = variants_of(compiler)
    compiler.gate.clear()
    with pytest.raises(Cancelled):
        variants.find(s(1), Gone(), general_runs_it=False)
    compiler.gate.set()
