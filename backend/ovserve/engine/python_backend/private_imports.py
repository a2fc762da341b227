"""Modules that belong to one Python model: what its `import` statements find, and nobody else's.

The file and what lies beside it become modules of a package with a name of its own, so two models, or two versions of
one, share no module and no state. Files of the standard library's names stay what they are; other names beside the
file come before installed packages.
"""

import builtins
import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from uuid import uuid4

_PREFIX = "triton_python_model_"
_PACKAGE = re.compile(rf"{_PREFIX}[0-9a-f]{{32}}\.")


def as_written(text: str) -> str:
    """Give the modules in a message the names that the model's author knows them by."""
    return _PACKAGE.sub("", text)


class PrivateImports:
    """The modules of one model, from `folders`; `given` are modules that they find by name, wherever they ask.

    Statements are what is served, at import and at run time, in any thread; `importlib.import_module` sees only what
    is relative (`import_module(".helper", __package__)`) or installed. Nothing is written beside the files.
    """

    def __init__(self, folders: Sequence[Path], given: Mapping[str, ModuleType]) -> None:
        self._name = f"{_PREFIX}{uuid4().hex}"
        self._folders = [str(folder) for folder in folders]
        self._given = given
        self._own: dict[str, bool] = {}
        self.builtins = vars(builtins) | {"__import__": self._import}
        package = ModuleType(self._name)
        package.__path__ = self._folders
        vars(package)["__imports__"] = self
        sys.modules[self._name] = package
        if _Finder not in sys.meta_path:
            sys.meta_path.insert(0, _Finder)

    def load(self, file: Path) -> ModuleType:
        """Run `file` as a module; raises whatever it raises."""
        name = f"{self._name}.{file.stem.replace('.', '_')}"
        loader = _Source(name, str(file), self)
        spec = ModuleSpec(name, loader, origin=str(file))
        spec.has_location = True
        module = module_from_spec(spec)
        sys.modules[name] = module
        loader.exec_module(module)
        return module

    def close(self) -> None:
        """Forget the modules; those in use live on with what uses them."""
        for name in [name for name in list(sys.modules) if f"{name}.".startswith(f"{self._name}.")]:
            sys.modules.pop(name, None)

    def find(self, name: str, folders: Sequence[str]) -> ModuleSpec | None:
        """Find a module of this package in `folders`."""
        portions: list[str] = []
        for folder in folders:
            # A finder of its own for every look: it remembers folders by their time, which may not have changed.
            finder = FileFinder(
                folder,
                (ExtensionFileLoader, EXTENSION_SUFFIXES),
                (self._source, SOURCE_SUFFIXES),  # type: ignore[arg-type] # a function that makes one will do
            )
            spec = finder.find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
            portions += (spec and spec.submodule_search_locations) or ()
        if not portions:
            return None
        namespace = ModuleSpec(name, None, is_package=True)
        namespace.submodule_search_locations = portions
        return namespace

    def _source(self, name: str, path: str) -> "_Source":
        return _Source(name, path, self)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as Python's own
        locals: Mapping[str, object] | None = None,  # noqa: A002 - likewise
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0:
            if name in self._given:
                return self._given[name]
            top = name.partition(".")[0]
            if self._is_own(top):
                if fromlist:
                    return builtins.__import__(f"{self._name}.{name}", globals, locals, fromlist, 0)
                importlib.import_module(f"{self._name}.{name}")
                return sys.modules[f"{self._name}.{top}"]
        return builtins.__import__(name, globals, locals, fromlist, level)

    def _is_own(self, top: str) -> bool:
        if top not in self._own:
            found = None if top in sys.stdlib_module_names else self.find(f"{self._name}.{top}", self._folders)
            # A folder that is no package gives way to an installed one.
            self._own[top] = found is not None and (found.loader is not None or not _is_installed(top))
        return self._own[top]


class _Source(SourceFileLoader):
    """Runs source as it lies there now: bytecode is neither read nor written."""

    def __init__(self, name: str, path: str, imports: PrivateImports) -> None:
        super().__init__(name, path)
        self._imports = imports

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._imports.builtins
        super().exec_module(module)


class _Finder:
    """Finds the modules of every such package; the class itself stands in `sys.meta_path`, once."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _target: Any = None) -> ModuleSpec | None:
        if not name.startswith(_PREFIX) or path is None:
            return None
        package = sys.modules.get(name.partition(".")[0])
        imports: PrivateImports | None = getattr(package, "__imports__", None)
        return None if imports is None else imports.find(name, path)


def _is_installed(top: str) -> bool:
    return top in sys.modules or find_spec(top) is not None
