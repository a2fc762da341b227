"""Settings -> the objects behind every door."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ovserve.config.model import ModelConfig
from ovserve.config.model_flags import ModelFlags
from ovserve.config.plugin_config import translate
from ovserve.config.settings import Settings
from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.engine.openvino import Engine
from ovserve.errors import LoadFailed, OVServeError
from ovserve.observability.logs import get_logger
from ovserve.pipelines.upkeep import Upkeep
from ovserve.repository.config_file import ConfigFile
from ovserve.repository.config_pbtxt import ConfigFiles, configured
from ovserve.repository.source import Repositories, SingleModel, Source
from ovserve.repository.uploads import Uploads
from ovserve.serving.following import Following
from ovserve.serving.loader import load_version
from ovserve.serving.reconciler import Reconciler
from ovserve.serving.registry import Registry
from ovserve.serving.view import ALL

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
    source: Source
    reconciler: Reconciler

    def load(self, *, may_be_empty: bool = False) -> None:
        """Load everything once; raises `CannotStart` where not one model can be served.

        `may_be_empty` lets a repository or config.json without a model that can be served wait for one.
        """
        try:
            self.reconciler.pass_once()
        except LoadFailed as error:
            raise CannotStart(str(error)) from error
        if any(entry.available for entry in self.registry.entries.values()):
            return
        if may_be_empty and self.settings.model_path is None:
            logger.warning("no model can be served yet", places=[str(path) for path in self.source.paths])
            return
        rows = self.control.index()
        if not rows and self.settings.config_path is not None:
            raise CannotStart(f"{self.settings.config_path} lists no model")
        if not rows:
            shown = ", ".join(map(str, self.settings.model_repository or ()))
            raise CannotStart(
                f"model repository {shown} holds no model: expected folders like {shown}/NAME/1/model.xml"
            )
        causes = "; ".join(
            f"{row.name}{'' if row.version is None else f' version {row.version}'}: {row.reason}" for row in rows
        )
        raise CannotStart(f"no model can be served: {causes}")

    def following(self) -> Following:
        """Follow the repository from now on, for the time of a `with` block."""
        mode, poll_s = self.settings.control_mode, self.settings.file_system_poll_wait_seconds
        return Following(self.reconciler, lambda: self.source.paths, mode, poll_s)


def compose(settings: Settings) -> Core:
    """Make the objects; nothing is loaded and nothing listens yet. Raises `CannotStart`."""
    registry = Registry()
    source = _source(settings)
    uploads = _uploads(settings, source) if settings.control_mode == "explicit" else None
    load = partial(load_version, Engine(_prepared_cache(settings.cache_dir)))
    reconciler = Reconciler(
        uploads or source,
        load,
        registry,
        follows=uploads is None,
        retries=settings.control_mode in {"watch", "poll"},
        chosen=(ALL,) if uploads is None else settings.load_model,
        settle=Upkeep(registry).follow,
    )
    control = Control(registry, reconciler, uploads, is_open=settings.is_local or settings.allow_remote_management)
    return Core(settings, registry, DataPlane(registry), control, source, reconciler)


def _source(settings: Settings) -> Source:
    allow_symlinks = settings.allow_symlinks
    if settings.config_path is not None:
        return ConfigFile(settings.config_path, allow_symlinks=allow_symlinks)
    own = _own(settings)
    if settings.model_name is not None and settings.model_path is not None:
        config = _model_config(own, settings.model_name, settings.model_path)
        return SingleModel(config, allow_symlinks=allow_symlinks)
    assert settings.model_repository is not None  # noqa: S101 - Settings has exactly one source of models
    folders = tuple(map(_absolute, settings.model_repository))
    explicit = {name: own[name] for name in own.keys() & settings.model_fields_set}
    files = ConfigFiles()

    def read_config(name: str, folder: Path) -> ModelConfig:
        declared = files.read(folder)
        return _model_config(own, name, folder) if declared is None else configured(declared, folder, explicit)

    return Repositories(folders, read_config, allow_symlinks=allow_symlinks)


def _uploads(settings: Settings, source: Source) -> Uploads:
    own = _own(settings)
    explicit = {name: own[name] for name in own.keys() & settings.model_fields_set}
    return Uploads(
        source,
        lambda declared, folder: configured(declared, folder, explicit),
        allow_code=settings.allow_code_upload,
    )


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
