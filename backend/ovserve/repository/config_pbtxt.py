"""config.pbtxt beside a model's versions, as Triton's repositories have it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ovserve.config.declared import TritonConfig, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.pbtxt import FILE_NAME, parse_pbtxt
from ovserve.config.triton import DONE_BY_SERVER, read_triton, to_model_config
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger

_MOST_BYTES = 1 << 20

logger = get_logger("ovserve.repository")


@dataclass(frozen=True, slots=True)
class _Known:
    status: tuple[int, int, int]
    declared: TritonConfig | LoadFailed


class ConfigFiles:
    """Reads each file once for every change of it."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}

    def read(self, folder: Path) -> TritonConfig | None:
        """Read what the file in a model's folder declares; None without one. Raises `LoadFailed`."""
        path = folder / FILE_NAME
        try:
            found = path.stat()
        except OSError:  # not there, or in a folder that may not be read, which whoever looks for versions tells
            return None
        status = (found.st_size, found.st_mtime_ns, found.st_ino)
        known = self._known.get(path)
        if known is None or known.status != status:
            self._known[path] = known = _Known(status, _read(path))
        if isinstance(known.declared, LoadFailed):
            raise known.declared
        return known.declared


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


def _read(path: Path) -> TritonConfig | LoadFailed:
    name = path.parent.name
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            return LoadFailed(f"{FILE_NAME} is larger than {_MOST_BYTES} bytes", path)
        declared = read_triton(parse_pbtxt(data.decode()), DONE_BY_SERVER)
    except OSError as error:
        return LoadFailed(f"{FILE_NAME} cannot be read: {error.strerror}", path)
    except UnicodeDecodeError:
        return LoadFailed(f"{FILE_NAME} is not text", path)
    except WrongTritonConfig as error:
        said = str(error)
        return LoadFailed(said if said.startswith(FILE_NAME) else f"{FILE_NAME}: {said}", path)
    if declared.name not in ("", name):
        return LoadFailed(f"{FILE_NAME} names the model '{declared.name}', its folder '{name}'", path)
    for sentence in declared.warnings:
        logger.warning(sentence, model=name, file=FILE_NAME)
    return replace(declared, name=name)
