"""Settings -> the objects behind every door."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovserve.config.model import ModelConfig
from ovserve.config.model_flags import ModelFlags
from ovserve.config.ovms_json import read_config
from ovserve.config.plugin_config import translate
from ovserve.config.settings import Settings
from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.engine.openvino import Engine
from ovserve.errors import ConfigInvalid, LoadFailed, OVServeError
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

    def load_all(self) -> None:
        """Try every model; those that fail leave their cause. Raises `CannotStart` where there is none."""
        wanted = model_configs(self.settings)
        for name, cause in wanted.failed.items():
            self.registry.put_failed(name, cause)
        self.loader.load_all(wanted.models)

    def load(self) -> None:
        """Load everything; raises `CannotStart` where not one model can be served."""
        self.load_all()
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """The models to serve, and of those that cannot even be tried, by name, why."""

    models: Sequence[ModelConfig]
    failed: Mapping[str, str] = field(default_factory=dict)


def model_configs(settings: Settings) -> Wanted:
    """Find the models to serve; raises `CannotStart` where there is none to try."""
    if settings.config_path is not None:
        return _listed(settings.config_path)
    own = _own(settings)
    if settings.model_name is not None and settings.model_path is not None:
        return Wanted([_model_config(own, settings.model_name, settings.model_path)])
    assert settings.model_repository is not None  # noqa: S101 - Settings has exactly one source of models
    try:
        found = find_models(_absolute(settings.model_repository))
    except LoadFailed as error:
        raise CannotStart(f"model repository {settings.model_repository}: {error}") from error
    if not found:
        raise CannotStart(
            f"model repository {settings.model_repository} holds no model: expected folders like "
            f"{settings.model_repository}/NAME/1/model.xml"
        )
    return Wanted([_model_config(own, name, path) for name, path in found.items()])


def _listed(path: Path) -> Wanted:
    """Read config.json; what is wrong in it is logged."""
    try:
        listed = read_config(path)
    except ConfigInvalid as error:
        raise CannotStart(f"{error} ({error.path})") from error
    for warning in listed.warnings:
        logger.warning(warning, path=str(path))
    for refused in listed.errors:
        logger.error("entry refused", **{refused.kind: refused.name}, cause=refused.sentence, path=str(path))
    if listed.pipelines:
        logger.warning("pipelines are not served yet", pipelines=[pipeline.name for pipeline in listed.pipelines])
    if not (listed.models or listed.failed):
        raise CannotStart(f"{path} lists no model")
    return Wanted(listed.models, listed.failed)


def _own(settings: Settings) -> dict[str, Any]:
    """Take over every setting of a model; they go by the same names, and what is not set is the model's default."""
    own = settings.model_dump(include=set(ModelFlags.model_fields), exclude_none=True)
    translated = translate(settings.plugin_config)
    for warning in translated.warnings:
        logger.warning("plugin_config", warning=warning)
    return {**own, "plugin_config": translated.properties}


def _model_config(own: Mapping[str, Any], name: str, path: Path) -> ModelConfig:
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
