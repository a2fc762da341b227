"""Settings -> the objects behind every door."""

import os
from dataclasses import dataclass
from pathlib import Path

from ovserve.config.model import ModelConfig
from ovserve.config.settings import Settings
from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.engine.openvino import Engine
from ovserve.errors import LoadFailed, OVServeError
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import find_models
from ovserve.serving.loader import Loader
from ovserve.serving.registry import Registry

logger = get_logger("ovserve")


class CannotStart(OVServeError):
    """Nothing can be served; the sentence says why, for the one who starts the server."""


@dataclass(frozen=True, slots=True)
class Core:
    """The objects behind every door."""

    settings: Settings
    registry: Registry
    dataplane: DataPlane
    control: Control
    loader: Loader

    def load(self) -> None:
        """Load everything; raises `CannotStart` where not one model can be served."""
        self.loader.load_all(model_configs(self.settings))
        if any(entry.available for entry in self.registry.entries.values()):
            return
        causes = "; ".join(
            f"{row.name}{'' if row.version is None else f' version {row.version}'}: {row.reason}"
            for row in self.control.index()
        )
        raise CannotStart(f"no model can be served: {causes}")


def compose(settings: Settings) -> Core:
    """Make the objects; nothing is loaded and nothing listens yet. Raises `CannotStart`."""
    registry = Registry()
    loader = Loader(Engine(_prepared_cache(settings.cache_dir)), registry)
    return Core(settings, registry, DataPlane(registry), Control(registry), loader)


def model_configs(settings: Settings) -> list[ModelConfig]:
    """Find the models to serve; raises `CannotStart` where there is none to try."""
    if settings.model_name is not None and settings.model_path is not None:
        return [_model_config(settings, settings.model_name, settings.model_path)]
    assert settings.model_repository is not None  # noqa: S101 - Settings has one or the other
    try:
        found = find_models(_absolute(settings.model_repository))
    except LoadFailed as error:
        raise CannotStart(f"model repository {settings.model_repository}: {error}") from error
    if not found:
        raise CannotStart(
            f"model repository {settings.model_repository} holds no model: expected folders like "
            f"{settings.model_repository}/NAME/1/model.xml"
        )
    return [_model_config(settings, name, path) for name, path in found.items()]


def _model_config(settings: Settings, name: str, path: Path) -> ModelConfig:
    """Take over every setting of a model; they go by the same names."""
    own = settings.model_dump(include=ModelConfig.model_fields.keys() - {"name", "base_path"})
    return ModelConfig(name=name, base_path=_absolute(path), **own)


def _prepared_cache(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"--cache_dir {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        logger.warning("the cache folder is not writable: nothing will be cached", cache_dir=str(folder))
    return _absolute(folder)


def _absolute(path: Path) -> Path:
    """Make `path` absolute without following links, which may lead in circles."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links
