"""What the modules of one Python model know of each other, and of another model's."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.errors import LoadFailed
from python_models import answer, load, source

HELPED = 'return [pb_utils.InferenceResponse([pb_utils.Tensor("y", np.array([NUMBER], np.float32))])]'


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def number(model: PythonModel) -> float:
    return float(answer(model)[0])


def using(statement: str) -> str:
    """A model that answers the NUMBER that `statement` brings at import."""
    return source(HELPED, top=statement)


def late(statement: str) -> str:
    """The same, at each request."""
    return source(f"{statement}\n{HELPED}")


IMPORTS = [
    "from helper import NUMBER",
    "from .helper import NUMBER",
    "from . import helper; NUMBER = helper.NUMBER",
    "import helper; NUMBER = helper.NUMBER",
    "import importlib; NUMBER = importlib.import_module('.helper', __package__).NUMBER",
]


@pytest.mark.parametrize("placed", [using, late])
@pytest.mark.parametrize("statement", IMPORTS)
def test_two_models_have_each_its_own_module_of_one_name(
    tmp_path: Path, placed: Callable[[str], str], statement: str
) -> None:
    text = placed(statement)
    models = [load(write(tmp_path / str(n), helper=f"NUMBER = {n}"), text) for n in range(2)]
    assert [number(model) for model in models] == [0, 1]
    assert [number(model) for model in models] == [0, 1]


def test_two_models_of_one_file_name_share_no_state(tmp_path: Path) -> None:
    counting = source("global NUMBER; NUMBER += 1\n" + HELPED, top="NUMBER = 0")
    one, other = load(tmp_path / "a", counting), load(tmp_path / "b", counting)
    assert [number(one), number(one), number(other)] == [1, 2, 1]


def test_two_instances_of_one_file_share_no_state(tmp_path: Path) -> None:
    counting = source("global NUMBER; NUMBER += 1\n" + HELPED, top="NUMBER = 0")
    one, other = load(tmp_path, counting), load(tmp_path, counting)
    assert [number(one), number(one), number(other)] == [1, 2, 1]


@pytest.mark.parametrize(
    "statement",
    [
        "from parts.inner import NUMBER",
        "import parts.inner; NUMBER = parts.inner.NUMBER",
        "from parts import inner; NUMBER = inner.NUMBER",
        "from .parts.inner import NUMBER",
    ],
)
@pytest.mark.parametrize("is_package", [True, False])
def test_packages_and_plain_folders_beside_the_file_are_found(tmp_path: Path, statement: str, is_package: bool) -> None:
    write(tmp_path, parts__inner="from parts.deep import NUMBER", parts__deep="from .deeper import NUMBER")
    write(tmp_path, parts__deeper="NUMBER = 5")
    if is_package:
        write(tmp_path, parts____init__="")
    assert number(load(tmp_path, using(statement))) == 5


def test_modules_in_the_models_folder_are_found_from_a_versions(tmp_path: Path) -> None:
    write(tmp_path, helper="NUMBER = 6")
    assert number(load(tmp_path / "2", using("from helper import NUMBER"), version=2)) == 6


def test_modules_above_a_folder_that_is_no_versions_are_not_found(tmp_path: Path) -> None:
    write(tmp_path, helper="NUMBER = 6")
    with pytest.raises(LoadFailed, match="No module named 'helper'"):
        load(tmp_path / "nodes", using("from helper import NUMBER"))


def test_a_module_that_is_missing_goes_by_the_name_that_its_author_knows(tmp_path: Path) -> None:
    write(tmp_path, parts____init__="")
    with pytest.raises(LoadFailed, match=r"ModuleNotFoundError: No module named 'parts\.gone'$"):
        load(tmp_path, using("import parts.gone"))


def test_the_standard_library_is_itself_whatever_lies_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path, json="NUMBER = 1")
    assert number(load(tmp_path, using("import json; NUMBER = json.loads('7')"))) == 7


def test_a_plain_folder_does_not_stand_in_for_an_installed_package(tmp_path: Path) -> None:
    write(tmp_path, cv2__data="")
    assert number(load(tmp_path, using("import cv2; NUMBER = int(cv2.__version__[0])"))) >= 4


def test_nothing_remains_in_the_interpreter_when_a_model_is_closed(tmp_path: Path) -> None:
    before = set(sys.modules) | {"triton_python_backend_utils"}
    model = load(write(tmp_path, helper="NUMBER = 1"), using("from helper import NUMBER"))
    assert len(set(sys.modules) - before) == 3  # the package, the model, the helper
    model.close()
    assert set(sys.modules) - before == set()


def test_nothing_remains_of_a_model_that_is_refused(tmp_path: Path) -> None:
    before = set(sys.modules) | {"triton_python_backend_utils"}
    with pytest.raises(LoadFailed):
        load(write(tmp_path, helper="NUMBER = 1"), using("from helper import NUMBER, GONE"))
    assert set(sys.modules) - before == set()


def test_sys_path_stays_as_it_is(tmp_path: Path) -> None:
    before = list(sys.path)
    load(write(tmp_path, helper="NUMBER = 1"), using("from helper import NUMBER"))
    assert sys.path == before


def test_changed_files_are_loaded_as_they_are_now(tmp_path: Path) -> None:
    def loaded(value: int) -> float:
        return number(load(write(tmp_path, helper=f"NUMBER = {value}"), using("from helper import NUMBER")))

    assert [loaded(value) for value in (1, 2, 3)] == [1, 2, 3]  # of one size, within one tick of the file system


def test_no_bytecode_is_written_beside_the_files(tmp_path: Path) -> None:
    load(write(tmp_path, helper="NUMBER = 1", parts____init__=""), using("from helper import NUMBER; import parts"))
    assert list(tmp_path.rglob("*.pyc")) == []


def test_classes_know_their_module(tmp_path: Path) -> None:
    top = """
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import get_type_hints
        @dataclass
        class Box:
            size: Size = None
        class Size: pass
        NUMBER = float(get_type_hints(Box)["size"] is Size)
    """
    assert number(load(tmp_path, source(HELPED).replace("import numpy", f"{_dedent(top)}\nimport numpy"))) == 1


def _dedent(text: str) -> str:
    return "\n".join(line[8:] for line in text.splitlines()).strip()


def test_every_thread_finds_its_models_modules(tmp_path: Path) -> None:
    models = [
        load(write(tmp_path / str(n), helper=f"NUMBER = {n}"), late("from helper import NUMBER")) for n in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(number, models)) == list(range(8))


def test_models_load_side_by_side(tmp_path: Path) -> None:
    def loaded(n: int) -> float:
        return number(load(write(tmp_path / str(n), helper=f"NUMBER = {n}"), using("from helper import NUMBER")))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(loaded, range(24))) == list(range(24))
