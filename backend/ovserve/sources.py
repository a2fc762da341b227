"""Settings -> where models come from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovserve.config.declared import TritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.model_flags import ModelFlags
from ovserve.config.pbtxt import FILE_NAME
from ovserve.config.plugin_config import translate
from ovserve.config.settings import Settings
from ovserve.observability.logs import get_logger
from ovserve.repository.config_file import ConfigFile
from ovserve.repository.config_pbtxt import ConfigFiles, check_whole, configured
from ovserve.repository.source import Repositories, SingleModel, Source
from ovserve.repository.uploads import Uploads

logger = get_logger("ovserve")


def make_source(settings: Settings) -> Source:
    allow_symlinks = settings.allow_symlinks
    if settings.config_path is not None:
        return ConfigFile(settings.config_path, allow_symlinks=allow_symlinks)
    own = _own(settings)
    if settings.model_name is not None and settings.model_path is not None:
        config = _model_config(own, settings.model_name, settings.model_path)
        return SingleModel(config, allow_symlinks=allow_symlinks)
    assert settings.model_repository is not None  # noqa: S101 - Settings has exactly one source of models
    folders = tuple(map(absolute, settings.model_repository))
    explicit = {name: own[name] for name in own.keys() & settings.model_fields_set}
    files = ConfigFiles(settings.model_config_name, whole=settings.disable_auto_complete_config)

    def read_config(name: str, folder: Path) -> ModelConfig:
        declared = files.read(folder)
        return _model_config(own, name, folder) if declared is None else configured(declared, folder, explicit)

    return Repositories(folders, read_config, allow_symlinks=allow_symlinks)


def make_uploads(settings: Settings, repositories: Source) -> Uploads:
    own = _own(settings)
    explicit = {name: own[name] for name in own.keys() & settings.model_fields_set}

    def read_config(declared: TritonConfig, folder: Path) -> ModelConfig:
        if settings.disable_auto_complete_config:
            check_whole(declared, folder / FILE_NAME)
        return configured(declared, folder, explicit)

    return Uploads(repositories, read_config, allow_code=settings.allow_code_upload)


def _own(settings: Settings) -> dict[str, Any]:
    """Take over every setting of a model; they go by the same names, and what is not set is the model's default."""
    own = settings.model_dump(include=set(ModelFlags.model_fields), exclude_none=True)
    translated = translate(settings.plugin_config)
    for warning in translated.warnings:
        logger.warning("plugin_config", warning=warning)
    return {**own, "plugin_config": translated.properties}


def _model_config(own: Mapping[str, Any], name: str, path: Path) -> ModelConfig:
    return ModelConfig(name=name, base_path=absolute(path), **own)


def absolute(path: Path) -> Path:
    """Make `path` absolute without following links, which may lead in circles."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links
