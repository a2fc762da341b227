"""config.pbtxt beside a model's versions, as Triton's repositories have it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ovserve.config.declared import MalformedTritonConfig, TritonConfig, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.pbtxt import FILE_NAME, parse_pbtxt
from ovserve.config.triton import DONE_BY_SERVER, read_triton, to_model_config
from ovserve.errors import LoadFailed, NotConfigured
from ovserve.observability.logs import get_logger

_MOST_BYTES = 1 << 20
_OTHERS = "configs"
_WHY_WHOLE = "the server runs with --disable_auto_complete_config"

logger = get_logger("ovserve.repository")


@dataclass(frozen=True, slots=True)
class _Known:
    status: tuple[int, int, int]
    declared: TritonConfig | LoadFailed


class ConfigFiles:
    """Reads each file once for every change of it.

    `name` is that of another file, NAME.pbtxt in the folder configs, which counts where it is there. `whole` says that
    every model needs a file that declares all its inputs and outputs.
    """

    def __init__(self, name: str | None = None, *, whole: bool = False) -> None:
        self._name = name
        self._whole = whole
        self._known: dict[Path, _Known] = {}

    def read(self, folder: Path) -> TritonConfig | None:
        """Read what the file in a model's folder declares; None without one. Raises `LoadFailed`."""
        path = self._path(folder)
        try:
            found = path.stat()
        except (
            OSError
        ) as error:  # not there, or in a folder that may not be read, which whoever looks for versions tells
            if self._whole:
                raise LoadFailed(f"{FILE_NAME} is missing, and nothing completes it: {_WHY_WHOLE}", path) from error
            return None
        status = (found.st_size, found.st_mtime_ns, found.st_ino)
        known = self._known.get(path)
        if known is None or known.status != status:
            try:
                known = _Known(status, _read(path, folder.name))
            except LoadFailed as error:
                known = _Known(status, error)
            self._known[path] = known
        if isinstance(known.declared, LoadFailed):
            raise known.declared
        if self._whole:
            check_whole(known.declared, path)
        return replace(known.declared, is_completed=self._whole)

    def _path(self, folder: Path) -> Path:
        other = folder / _OTHERS / f"{self._name}.pbtxt"
        return other if self._name is not None and os.path.isfile(other) else folder / FILE_NAME  # noqa: PTH113 - Path.is_file raises where it may not look


def check_whole(declared: TritonConfig, path: Path) -> None:
    """Raise `LoadFailed` where a configuration leaves inputs or outputs to be completed from the model."""
    for what, tensors in (("input", declared.inputs), ("output", declared.outputs)):
        if not tensors:
            raise LoadFailed(f"{path.name} declares no {what}, and nothing completes it: {_WHY_WHOLE}", path)
        for tensor in tensors:
            if not tensor.is_complete:
                raise LoadFailed(
                    f"{path.name} leaves out data_type or dims of {what} '{tensor.name}', "
                    f"and nothing completes it: {_WHY_WHOLE}",
                    path,
                )


def configured(declared: TritonConfig, folder: Path, own: Mapping[str, Any]) -> ModelConfig:
    """Make a model's configuration from the file and from the server's own settings, which beat it.

    Raises `LoadFailed`.
    """
    if declared.pipeline is not None:
        pipeline = declared.pipeline.model_copy(update={"name": declared.name})
        return ModelConfig(name=declared.name, base_path=folder, declared=declared, pipeline=pipeline)
    properties = {**declared.settings.get("plugin_config", {}), **own.get("plugin_config", {})}
    settings = {**declared.settings, **own, "plugin_config": properties}
    if declared.instances > 1:
        settings.setdefault("nireq", declared.instances)
    try:
        config = to_model_config(replace(declared, settings=settings), folder)
    except WrongTritonConfig as error:
        raise LoadFailed(f"{FILE_NAME}: {error}", folder / FILE_NAME) from error
    return config.model_copy(update={"declared": declared})


def _read(path: Path, name: str) -> TritonConfig:
    file = path.name
    try:
        declared = read_triton(parse_pbtxt(_text(path)), DONE_BY_SERVER)
    except MalformedTritonConfig as error:
        raise NotConfigured(f"{file}: {error}", path) from error
    except WrongTritonConfig as error:
        raise LoadFailed(f"{file}: {error}", path) from error
    if declared.name not in ("", name):
        raise NotConfigured(f"{file} names the model '{declared.name}', its folder '{name}'", path)
    for sentence in declared.warnings:
        logger.warning(sentence, model=name, file=file)
    return replace(declared, name=name)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) <= _MOST_BYTES:
            return data.decode()
    except OSError as error:
        raise NotConfigured(f"{path.name} cannot be read: {error.strerror}", path) from error
    except UnicodeDecodeError as error:
        raise NotConfigured(f"{path.name} is not text", path) from error
    raise NotConfigured(f"{path.name} is larger than {_MOST_BYTES} bytes", path)
