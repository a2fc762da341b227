"""How the repository is followed: with real files, and loads that do what the test says."""

import gc
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed
from ovserve.repository.source import Repositories
from ovserve.serving.reconciler import Reconciler
from ovserve.serving.registry import Registry, State
from served import Served


class Clock:
    """Seconds since 1970 that pass when the test says so; far ahead of the files' own, so that these are old."""

    def __init__(self) -> None:
        self.now_s = 4e9

    def __call__(self) -> float:
        return self.now_s


class Loads:
    """Stands for reading and compiling: a version whose file says `bad` fails, one that says `slow` waits."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.go_on = threading.Event()
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, config: ModelConfig, version: int, place: Path) -> Served:
        self.begun.append((config.name, version))
        text = (place / "model.onnx").read_text()
        self.meanwhile()
        if text == "slow":
            assert self.go_on.wait(10)
        if text == "bad":
            raise LoadFailed("it is bad", place)
        if text == "fault":
            raise KeyError(text)
        return Served(text)


class House:
    """A repository in a folder, and the reconciler that follows it."""

    def __init__(self, root: Path, **options: object) -> None:
        self.root = root
        self.clock = Clock()
        self.loads = Loads()
        self.registry = Registry()
        source = Repositories([root], lambda name, path: ModelConfig(name=name, base_path=path), allow_symlinks=False)
        self.reconciler = Reconciler(source, self.loads, self.registry, clock=self.clock, **options)

    def write(self, text: str, version: int = 1, name: str = "m") -> Path:
        folder = self.root / name / str(version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_text(text)
        return folder

    def settle(self) -> None:
        """Step until nothing is under way."""
        while self.reconciler.step() is not None:
            self.reconciler.dirty.wait(0.01)
            self.clock.now_s += 0.3

    def states(self, name: str = "m") -> dict[int, State]:
        return {number: status.state for number, status in self.registry.entries[name].versions.items()}

    def text(self, name: str = "m") -> str:
        return self.registry.find(name).text


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.loads.go_on.set()


def test_what_is_there_is_served_and_looked_at_again_without_loading_it_again(house: House) -> None:
    house.write("one")
    house.settle()
    house.settle()
    assert (house.text(), house.loads.begun) == ("one", [("m", 1)])


def test_files_that_have_just_changed_must_look_the_same_twice(house: House) -> None:
    folder = house.write("one")
    house.clock.now_s = (folder / "model.onnx").stat().st_ctime
    assert house.reconciler.step() == 0.25
    assert house.loads.begun == []
    house.write("another")
    house.clock.now_s += 0.25
    assert house.reconciler.step() == 0.25
    assert house.loads.begun == []
    house.clock.now_s += 0.25
    house.settle()
    assert house.text() == "another"


def test_a_failed_version_is_tried_again_ever_more_seldom_and_at_once_when_it_changes(house: House) -> None:
    house.write("bad")
    house.settle()
    assert house.registry.entries["m"].versions[1].cause == "it is bad"
    for wait_s in (1, 2, 4, 8, 16, 32, 60, 60):
        tried = len(house.loads.begun)
        house.clock.now_s += wait_s - 0.4
        house.settle()
        assert len(house.loads.begun) == tried
        house.clock.now_s += 0.4
        house.settle()
        assert len(house.loads.begun) == tried + 1
    house.write("good now")
    house.settle()
    assert house.text() == "good now"


def test_without_retries_only_a_change_helps(tmp_path: Path) -> None:
    house = House(tmp_path, retries=False)
    house.write("bad")
    house.settle()
    house.clock.now_s += 1000
    house.settle()
    assert house.loads.begun == [("m", 1)]


def test_a_cause_is_an_alarm_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.write("bad")
    for _ in range(4):
        house.settle()
        house.clock.now_s += 100
    assert caplog.text.count("version failed") == 1


def test_a_fault_of_ours_fails_one_model_only(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.write("fault", name="a")
    house.write("fine", name="b")
    house.settle()
    assert house.text("b") == "fine"
    assert house.registry.entries["a"].versions[1].cause == "internal error while loading: KeyError"
    assert "Traceback" in caplog.text


def test_a_load_that_takes_long_delays_no_other(house: House) -> None:
    house.write("slow", name="a")
    house.write("quick", name="b")
    house.reconciler.step()
    while house.states("b")[1] is not State.AVAILABLE:
        assert house.reconciler.dirty.wait(10)
        house.reconciler.step()
    assert house.states("a") == {1: State.LOADING}
    house.loads.go_on.set()
    house.settle()
    assert house.text("a") == "slow"


def test_what_was_said_of_a_broken_replacement_is_taken_back_with_the_replacement(house: House) -> None:
    folder = house.write("one")
    house.settle()
    (folder / "model.onnx").rename(folder / "kept")
    house.write("bad")
    house.settle()
    assert "it is bad" in (house.registry.entries["m"].versions[1].note or "")
    (folder / "kept").rename(folder / "model.onnx")
    house.settle()
    assert (house.text(), house.registry.entries["m"].versions[1].note) == ("one", None)
    assert house.loads.begun == [("m", 1), ("m", 1)]


def test_what_changed_while_it_was_read_is_not_served(house: House) -> None:
    folder = house.write("one")

    def change_once() -> None:
        house.loads.meanwhile = lambda: None
        (folder / "model.onnx").write_text("two, longer")

    house.loads.meanwhile = change_once
    house.settle()
    assert (house.text(), house.loads.begun) == ("two, longer", [("m", 1), ("m", 1)])


def test_a_version_that_is_unwanted_when_its_load_ends_is_not_served(house: House) -> None:
    house.write("one")
    house.settle()
    house.write("slow", version=2)
    house.reconciler.step()
    shutil.rmtree(house.root / "m/2")
    house.loads.go_on.set()
    house.settle()
    assert (house.text(), house.states()) == ("one", {1: State.AVAILABLE})


def test_a_version_is_unloading_until_its_last_request_has_left(house: House) -> None:
    house.write("one")
    house.settle()
    old = house.registry.find("m")
    with old.in_flight:
        house.write("two", version=2)
        house.settle()
        assert (house.text(), house.states()) == ("two", {1: State.UNLOADING, 2: State.AVAILABLE})
    house.settle()
    assert house.states() == {1: State.END, 2: State.AVAILABLE}


def test_an_unreadable_repository_changes_nothing_and_is_told_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.write("one")
    house.settle()
    house.root.rename(house.root.with_name(f"{house.root.name}_away"))
    house.settle()
    house.settle()
    assert house.text() == "one"
    assert caplog.text.count("the repository cannot be looked at") == 1


@pytest.mark.parametrize("then", [None, "two"], ids=["taken away", "replaced"])
def test_a_version_that_is_not_served_any_more_is_freed_at_once(house: House, then: str | None) -> None:
    house.write("one")
    house.settle()
    served = weakref.ref(house.registry.find("m"))
    gc.collect()
    gc.disable()
    try:
        if then is None:
            shutil.rmtree(house.root / "m")
        else:
            house.write(then)
        house.settle()
        house.settle()
        assert served() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("comes_back", [False, True], ids=["gone", "another in its place"])
def test_a_repository_that_is_moved_while_it_is_listed_loses_no_model(
    house: House, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    house.write("one")
    house.settle()
    away, listed = house.root.with_name(f"{house.root.name}_away"), Path.iterdir

    def moved_meanwhile(folder: Path) -> Iterator[Path]:
        found = list(listed(folder))
        if folder == house.root and not away.exists():
            folder.rename(away)
            if comes_back:
                house.write("one")
        return iter(found)

    served = house.registry.find("m")
    monkeypatch.setattr(Path, "iterdir", moved_meanwhile)
    house.reconciler.step()
    assert away.exists()
    assert house.registry.find("m") is served


def test_an_emptied_model_is_retired_and_says_why(house: House) -> None:
    house.write("one")
    house.settle()
    shutil.rmtree(house.root / "m/1")
    house.settle()
    house.settle()
    assert house.states() == {1: State.END}
    assert "no version found" in (house.registry.entries["m"].cause or "")


class Explicit:
    """A house whose models are loaded by request, with the thread that answers."""

    def __init__(self, root: Path) -> None:
        self.house = House(root, follows=False, retries=False, chosen=())
        self.stopped = threading.Event()
        run = self.house.reconciler.run
        self.thread = threading.Thread(target=run, args=(lambda: 0.01, self.stopped))
        self.thread.start()

    def stop(self) -> None:
        self.stopped.set()
        self.house.reconciler.dirty.set()
        self.thread.join(10)


@pytest.fixture
def explicit(tmp_path: Path) -> Iterator[Explicit]:
    explicit = Explicit(tmp_path)
    yield explicit
    explicit.house.loads.go_on.set()
    explicit.stop()


def test_only_what_is_asked_for_is_loaded_as_it_was_then(explicit: Explicit) -> None:
    house = explicit.house
    house.write("one")
    house.write("other", name="other")
    assert house.reconciler.asked.request("m", load=True).found
    house.write("changed")
    house.write("new", version=2)
    assert house.reconciler.asked.request("other", load=True).failures == {}
    assert (house.text(), house.text("other")) == ("one", "other")
    house.reconciler.asked.request("m", load=True)
    assert (house.text(), house.registry.find("m", None).text) == ("new", "new")


def test_a_model_that_is_not_there_is_not_found(explicit: Explicit) -> None:
    assert not explicit.house.reconciler.asked.request("nope", load=True).found
    assert "nope" not in explicit.house.registry.entries


def test_a_failed_load_says_why_and_is_tried_at_the_next_request(explicit: Explicit) -> None:
    house = explicit.house
    house.write("bad")
    assert house.reconciler.asked.request("m", load=True).failures == {1: "it is bad"}
    assert house.reconciler.asked.request("m", load=True).failures == {1: "it is bad"}
    assert house.loads.begun == [("m", 1), ("m", 1)]


def test_what_served_goes_on_when_its_reload_fails(explicit: Explicit) -> None:
    house = explicit.house
    house.write("one")
    house.reconciler.asked.request("m", load=True)
    house.write("bad")
    assert house.reconciler.asked.request("m", load=True).failures == {1: "it is bad"}
    assert house.text() == "one"


def test_another_version_goes_on_when_the_one_asked_for_fails(explicit: Explicit) -> None:
    house = explicit.house
    house.write("two", version=2)
    house.reconciler.asked.request("m", load=True)
    shutil.rmtree(house.root / "m/2")
    house.write("bad")
    assert house.reconciler.asked.request("m", load=True).failures == {1: "it is bad"}
    assert house.text() == "two"
    house.write("good")
    house.reconciler.asked.request("m", load=True)
    assert (house.text(), list(house.registry.entries["m"].available)) == ("good", [1])


def test_an_unloaded_model_is_gone_and_can_come_back(explicit: Explicit) -> None:
    house = explicit.house
    house.write("one")
    house.reconciler.asked.request("m", load=True)
    house.reconciler.asked.request("m", load=False)
    assert not house.registry.entries["m"].available
    house.reconciler.asked.request("m", load=False)
    house.reconciler.asked.request("m", load=True)
    assert house.text() == "one"
