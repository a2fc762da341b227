"""Makes a served version from what was seen on disk."""

from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import Engine
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import find_files
from ovserve.repository.look import SeenVersion
from ovserve.repository.mapping import read_mapping
from ovserve.serving.model import Model

logger = get_logger("ovserve.load")


class Loader:
    """Reads and compiles versions; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, config: ModelConfig, version: int, seen: SeenVersion) -> Model:
        """Load one version; raises `LoadFailed` with the cause."""
        if seen.error is not None:
            raise LoadFailed(seen.error, seen.place)
        files = find_files(seen.place)
        loaded = self._engine.load(files, read_mapping(files.folder), config)
        for sentence in filter(None, (*loaded.warnings, loaded.note)):
            logger.warning(sentence, model=config.name, version=version)
        return Model(config, version, loaded)
