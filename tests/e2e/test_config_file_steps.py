"""What becomes of a model when config.json or its folder changes (spec N.7): the states behind the answers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovserve.config.settings import Settings
from ovserve.control import IndexRow
from ovserve.core import Core, compose
from ovserve.requests import InferRequest, Patient
from ovserve.tensors import DType, Tensor
from small_models import add_one, save


class Place:
    """A config.json that lists the model `dummy`, whose version 1 is served."""

    def __init__(self, root: Path) -> None:
        self.root = root
        save(add_one([1, 2]), root / "dummy/1")
        self.write(self.dummy())
        self.core: Core = compose(Settings(config_path=root))
        self.core.load()
        self.settle()

    def dummy(self, **others: object) -> dict[str, Any]:
        return {"name": "dummy", "base_path": "dummy", **others}

    def write(self, *configs: dict[str, Any]) -> None:
        (self.root / "config.json").write_text(json.dumps({"model_config_list": [{"config": one} for one in configs]}))

    def settle(self) -> list[IndexRow]:
        """Let the reconciler do all it can now."""
        reconciler = self.core.reconciler
        while (wait_s := reconciler.step()) is not None or reconciler.dirty.is_set():
            reconciler.dirty.wait(wait_s)
        return self.core.control.index()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


STEPS: list[object] = []


def step(
    *rows: tuple[str, int | None, str, str], log: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What the index says after the step, with how a reason begins, and what the log says."""

    def register(change: Callable[..., None]) -> Callable[..., None]:
        STEPS.append(pytest.param(change, rows, log, id=change.__name__))
        return change

    return register


@step(("dummy", 1, "READY", ""), log="config.json: the file does not exist")
def config_file_deleted(place: Place) -> None:
    (place.root / "config.json").unlink()


@step(
    ("dummy", 1, "READY", "its configuration is refused, the one before is in force: config.json: base_path of model"),
    log="config.json: base_path of model 'dummy' does not exist",
)
def base_path_missing(place: Place) -> None:
    place.write(place.dummy(base_path="nowhere"))


@step(
    ("dummy", 1, "READY", ""),
    ("other", None, "UNAVAILABLE", "the folder does not exist"),
    log="the folder does not exist",
)
def base_path_of_a_new_model_missing(place: Place) -> None:
    place.write(place.dummy(), {"name": "other", "base_path": "nowhere"})


@step(("dummy", 1, "READY", ""), log="the name 'dummy' is taken by a model further up")
def same_name_twice(place: Place) -> None:
    save(add_one([3, 2]), place.root / "other/1")
    place.write(place.dummy(), place.dummy(base_path="other"))


@step(("dummy", 1, "READY", ""))
def unchanged(place: Place) -> None:
    place.write(place.dummy())


@step(("dummy", 1, "READY", ""), ("other", 1, "READY", ""))
def model_added(place: Place) -> None:
    place.write(place.dummy(), place.dummy(name="other"))


@step(("dummy", 1, "UNAVAILABLE", "unloaded"), ("dummy", 2, "READY", ""))
def version_added_under_latest_1(place: Place) -> None:
    save(add_one([1, 2]), place.root / "dummy/2")


@step(("dummy", 1, "READY", ""), ("other", 1, "LOADING", "not complete yet: no model file found: expected model.xml"))
def xml_missing(place: Place) -> None:
    folder = save(add_one([1, 2]), place.root / "other/1")
    (folder / "model.xml").rename(folder / "kept")
    place.write(place.dummy(), {"name": "other", "base_path": "other"})


@step(("dummy", 1, "READY", ""), ("other", 1, "READY", ""))
def xml_missing_and_then_added(place: Place) -> None:
    xml_missing(place)
    place.settle()
    (place.root / "other/1/kept").rename(place.root / "other/1/model.xml")


@step(
    ("dummy", 1, "READY", ""), ("other", None, "UNAVAILABLE", "no version found: expected a folder named by a number")
)
def empty_model_folder(place: Place) -> None:
    (place.root / "other").mkdir()
    place.write(place.dummy(), {"name": "other", "base_path": "other"})


@step(("dummy", 1, "UNAVAILABLE", "unloaded; the folder does not exist"))
def model_folder_removed_while_loaded(place: Place) -> None:
    shutil.rmtree(place.root / "dummy")


@step(("dummy", 1, "UNAVAILABLE", "unloaded; the folder does not exist"))
def model_folder_removed_while_loaded_with_enable_mmap(place: Place) -> None:
    place.write(place.dummy(plugin_config={"ENABLE_MMAP": "YES"}))
    place.settle()
    shutil.rmtree(place.root / "dummy")


@step()
def all_models_removed_from_the_file(place: Place) -> None:
    place.write()


@pytest.mark.parametrize(("change", "rows", "log"), STEPS)
def test_a_step_leads_to_its_states(
    place: Place,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Place], None],
    rows: tuple[tuple[str, int | None, str, str], ...],
    log: str,
) -> None:
    change(place)
    found = place.settle()
    assert [(row.name, row.version, row.state) for row in found] == [row[:3] for row in rows]
    for row, (*_, reason) in zip(found, rows, strict=True):
        assert row.reason.startswith(reason)
        assert bool(row.reason) == bool(reason)
        assert str(place.root) not in row.reason
    assert log in caplog.text


@pytest.mark.parametrize("change", [config_file_deleted, base_path_missing, same_name_twice, unchanged])
def test_what_serves_is_the_very_same_after_a_step_that_changes_nothing(
    place: Place, change: Callable[[Place], None]
) -> None:
    served = place.core.registry.find("dummy")
    change(place)
    place.settle()
    assert place.core.registry.find("dummy") is served


@pytest.mark.parametrize("change", [one.values[0] for one in STEPS])
def test_after_every_step_the_first_list_is_served_again(place: Place, change: Callable[[Place], None]) -> None:
    change(place)
    place.settle()
    shutil.rmtree(place.root / "dummy", ignore_errors=True)
    save(add_one([1, 2]), place.root / "dummy/1")
    place.write(place.dummy())
    ready = [(row.name, row.version, row.reason) for row in place.settle() if row.state == "READY"]
    assert ready == [("dummy", 1, "")]
    x = Tensor(DType.FP32, np.zeros((1, 2), np.float32))
    outputs = place.core.dataplane.infer(InferRequest("dummy", {"x": x}), Patient()).outputs
    assert outputs["y"].data.tolist() == [[1, 1]]
