"""Where models come from: the list in OVMS's config.json."""

import os
from collections.abc import Sequence
from pathlib import Path

from ovserve.config.model import ModelConfig
from ovserve.config.ovms_json import OvmsConfig, config_file, read_config
from ovserve.errors import ConfigInvalid, LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.repository.source import Configured

logger = get_logger("ovserve.repository")


class ConfigFile:
    """The models that the file lists; a wrong entry leaves its model as the file last had it right."""

    def __init__(self, path: Path, *, allow_symlinks: bool) -> None:
        self._file = Path(os.path.abspath(config_file(path)))  # noqa: PTH100 - Path.resolve follows links
        self._allow_symlinks = allow_symlinks
        self._listed: OvmsConfig | None = None
        self._good: dict[str, ModelConfig] = {}

    @property
    def paths(self) -> Sequence[Path]:
        """The folder of the file, since files are replaced, and the models that lie elsewhere."""
        places = {self._file.parent, *(config.base_path for config in self._good.values())}
        return sorted(places)

    def configured(self) -> Configured:
        try:
            listed = read_config(self._file)
        except ConfigInvalid as error:
            raise LoadFailed(f"{error} ({error.path})", error.path) from error
        if listed != self._listed:
            self._tell(listed)
        self._listed = listed
        kept = {name: self._good[name] for name in listed.failed if name in self._good}
        self._good = kept | {config.name: config for config in listed.models}
        errors = {name: sentence for name, sentence in listed.failed.items() if name not in kept}
        roots = {} if self._allow_symlinks else {name: _root(config.base_path) for name, config in self._good.items()}
        return Configured(self._good, errors, roots)

    def _tell(self, listed: OvmsConfig) -> None:
        for warning in listed.warnings:
            logger.warning(warning, path=str(self._file))
        for refused in listed.errors:
            logger.error("entry refused", **{refused.kind: refused.name}, cause=refused.sentence, path=str(self._file))
        if listed.pipelines:
            logger.warning("pipelines are not served yet", pipelines=[pipeline.name for pipeline in listed.pipelines])


def _root(base: Path) -> Path:
    real = Path(os.path.realpath(base))
    return real if real.is_dir() else real.parent
