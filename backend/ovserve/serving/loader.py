"""Loads what the settings ask for, models in parallel; a failure stops no other model."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import Engine
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import Versions, find_files, find_versions
from ovserve.repository.mapping import read_mapping
from ovserve.serving.model import Model
from ovserve.serving.registry import Registry, State, VersionStatus

PARALLEL_LOADS = 4  # Triton's --model-load-thread-count

logger = get_logger("ovserve.load")


class Loader:
    """Turns model configurations into entries of the registry."""

    def __init__(self, engine: Engine, registry: Registry, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._registry = registry
        self._clock = clock

    def load_all(self, configs: Sequence[ModelConfig]) -> None:
        """Load each model; when this returns, each is available or has its cause in the registry."""
        with ThreadPoolExecutor(PARALLEL_LOADS, thread_name_prefix="load") as executor:
            for future in [executor.submit(self._load, config) for config in configs]:
                future.result()

    def _load(self, config: ModelConfig) -> None:
        try:
            self._load_model(config)
        except Exception as error:
            # The last line of defence: a fault of ours in one model must not stop the others.
            logger.exception("model failed", model=config.name)
            self._registry.put_failed(config.name, f"internal error while loading: {type(error).__name__}")

    def _load_model(self, config: ModelConfig) -> None:
        try:
            found = find_versions(config.base_path)
        except LoadFailed as error:
            self._registry.put_failed(config.name, str(error))
            logger.error("model failed", model=config.name, cause=str(error), path=str(error.path))
            return
        for sentence in found.ignored:
            logger.warning(sentence, model=config.name, path=str(config.base_path))
        self._load_wanted(config, found)

    def _load_wanted(self, config: ModelConfig, found: Versions) -> None:
        """Load what the policy selects; without a version that fails it selects anew, as OVMS does."""
        candidates, loaded = set(found.places), set[int]()
        while left := [number for number in config.model_version_policy.select(candidates) if number not in loaded]:
            if self._try_version(config, left[0], found):
                loaded.add(left[0])
            else:
                candidates.remove(left[0])
        if not self._registry.entries.get(config.name):
            self._registry.put_failed(config.name, "model_version_policy selects none of the versions found")

    def _try_version(self, config: ModelConfig, version: int, found: Versions) -> bool:
        self._registry.put(config.name, version, VersionStatus(State.LOADING))
        started_s = self._clock()
        try:
            model = self._load_version(config, version, found)
        except LoadFailed as error:
            self._registry.put(config.name, version, VersionStatus(State.LOADING, cause=str(error)))
            logger.error("version failed", model=config.name, version=version, cause=str(error), path=str(error.path))
            return False
        self._registry.put(config.name, version, VersionStatus(State.AVAILABLE, model, note=model.note))
        logger.info(
            "version available",
            model=config.name,
            version=version,
            slots=model.slots,
            seconds=round(self._clock() - started_s, 2),
        )
        return True

    def _load_version(self, config: ModelConfig, version: int, found: Versions) -> Model:
        files = find_files(found.places[version])
        loaded = self._engine.load(files, read_mapping(files.folder), config)
        for sentence in filter(None, (*loaded.warnings, loaded.note)):
            logger.warning(sentence, model=config.name, version=version)
        return Model(config, version, loaded)
