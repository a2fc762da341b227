"""Loads a model from its Python file."""

import inspect
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ovserve.config.declared import Document, TritonConfig
from ovserve.engine.python_backend import pb_utils
from ovserve.engine.python_backend.alone import Alone
from ovserve.engine.python_backend.auto_complete import ModelConfig
from ovserve.engine.python_backend.foreign_code import Raised, call
from ovserve.engine.python_backend.instance import Host
from ovserve.engine.python_backend.instance_names import instance_names
from ovserve.engine.python_backend.pb_errors import TritonModelException
from ovserve.engine.python_backend.private_imports import PrivateImports
from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.engine.refused import Refused
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger

logger = get_logger("ovserve.python")

_CLASS = "TritonPythonModel"


def load_instances(
    file: Path, config: TritonConfig, *, name: str, version: int, host: Host | None = None
) -> list[PythonModel]:
    """Load the instances that the completed configuration asks for; raises `LoadFailed` with the cause.

    Each has modules of its own, as it would in a process of its own; see `load_python` for the rest.
    """
    whole = ModelConfig(name, config.document).as_dict() if config.is_completed else None
    first = load_python(file, config, name=name, version=version, host=host, completed=whole)
    instances = [first]
    try:
        for instance in instance_names(first.document, name)[1:]:
            instances.append(  # noqa: PERF401 - those that are there are closed when one fails
                load_python(
                    file, config, name=name, version=version, host=host, instance=instance, completed=first.document
                )
            )
    except LoadFailed:
        for one in instances:
            one.close()
        raise
    return instances


def load_python(
    file: Path,
    config: TritonConfig,
    *,
    name: str,
    version: int,
    host: Host | None = None,
    instance: str = "",
    completed: Document | None = None,
    copies: bool = True,
) -> PythonModel:
    """Load the model that `file` holds and initialize one instance; raises `LoadFailed` with the cause.

    The file may import what lies beside it and, in a version's folder, what lies in the model's folder; see
    `PrivateImports` for what that guarantees. `config.document` may leave the tensors to `auto_complete_config`, unless
    it was `completed` already. Without a `host` there are no other models. `instance` is its name, of the first one
    that the configuration asks for if none is given. See `PythonModel` for `copies`.
    """
    if not file.is_file():
        raise LoadFailed(f"'{file.name}' is not there", file)
    # Of use to installed modules only: a model's own imports find the module made for it.
    sys.modules.setdefault(pb_utils.MODULE_NAME, pb_utils)
    module = pb_utils.for_model(name, file.parent, host or Alone())
    imports = PrivateImports(_folders(file, version), {pb_utils.MODULE_NAME: module})
    try:
        kind = _class(_called("import", name, imports.load, file))
        if completed is None:
            completed = _called("auto_complete_config", name, _complete, kind, name, config.document)
        arguments = _arguments(file, completed, name, version, instance)
        made = _called("TritonPythonModel()", name, kind)
        model = PythonModel(made, completed, imports, name, version, copies=copies)
        if hasattr(made, "initialize"):
            _called("initialize", name, made.initialize, arguments)
    except Refused as error:
        imports.close()
        raise LoadFailed(f"'{file.name}': {error}", file) from error
    return model


def _class(module: Any) -> Any:
    kind = getattr(module, _CLASS, None)
    if not inspect.isclass(kind):
        raise Refused(f"it has no class {_CLASS}")
    if not callable(getattr(kind, "execute", None)):
        raise Refused(f"its class {_CLASS} has no method execute")
    return kind


def _called(what: str, name: str, function: Any, *arguments: Any) -> Any:
    """Call the model's code; raises `Refused`, and has the log tell where it failed."""
    try:
        return call(function, *arguments)
    except Raised as error:
        if not isinstance(error.__cause__, TritonModelException):
            logger.error("load failed", model=name, step=what, cause=str(error), exc_info=error.__cause__)
        raise Refused(f"{what} failed: {error}") from error


def _complete(kind: Any, name: str, document: Document) -> Document:
    """Let the model complete its configuration."""
    config = ModelConfig(name, document)
    if hasattr(kind, "auto_complete_config"):
        returned = kind.auto_complete_config(config)
        if returned is not config:
            raise TritonModelException(
                f"it must return the configuration that it was given, got {type(returned).__name__}"
            )
    completed = ModelConfig(name, config.as_dict()).as_dict()  # the model may have written into it
    json.dumps(completed)  # which initialize is given
    return completed


def _arguments(file: Path, completed: Document, name: str, version: int, instance: str) -> dict[str, str]:
    """What `initialize` is given; weights are usually looked for in model_repository/model_version."""
    return {
        "model_config": json.dumps(completed),
        "model_instance_kind": "CPU",
        "model_instance_name": instance or instance_names(completed, name)[0],
        "model_instance_device_id": "0",
        "model_repository": str(_folders(file, version)[-1]),
        "model_version": str(version),
        "model_name": name,
    }


def _folders(file: Path, version: int) -> list[Path]:
    """Where the file's modules lie: beside it and, if that is the version's folder, in the model's."""
    folder = file.absolute().parent
    with suppress(ValueError):
        if int(folder.name) == version:
            return [folder, folder.parent]
    return [folder]
