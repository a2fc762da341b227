"""Where models and pipelines come from: the lists in OVMS's config.json."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ovserve.config.declared import TritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.ovms_json import OvmsConfig, config_file, read_config
from ovserve.config.pipeline import NodeConfig, PipelineConfig
from ovserve.errors import ConfigInvalid, LoadFailed, NotOpened, NotThere
from ovserve.observability.logs import get_logger
from ovserve.repository.source import Configured, sorted_out

logger = get_logger("ovserve.repository")


class ConfigFile:
    """The models and pipelines that the file lists; a wrong entry leaves its own as the file last had it right.

    A custom node of a pipeline is a model of its own, PIPELINE/NODE.
    """

    def __init__(self, path: Path, *, allow_symlinks: bool) -> None:
        self._file = Path(os.path.abspath(config_file(path)))  # noqa: PTH100 - Path.resolve follows links
        self._allow_symlinks = allow_symlinks
        self._listed: OvmsConfig | None = None
        self._good: dict[str, ModelConfig] = {}
        self._nowhere: set[Path] = set()

    @property
    def paths(self) -> Sequence[Path]:
        """The folder of the file, since files are replaced, and the models that lie elsewhere."""
        places = {self._file.parent, *(config.base_path for config in self._good.values())}
        return sorted(places)

    def configured(self) -> Configured:
        try:
            listed = read_config(self._file)
        except ConfigInvalid as error:
            failure = LoadFailed if error.is_opened else NotOpened
            raise failure(f"{error} ({error.path})", error.path) from error
        if listed != self._listed:
            self._tell(listed)
        self._listed = listed
        moved = self._moved_to_nowhere(listed)
        found = {config.name: config for config in listed.models if config.name not in moved}
        failed = {**listed.failed, **moved}
        for pipeline in listed.pipelines:
            found[pipeline.name] = ModelConfig(name=pipeline.name, base_path=self._file, pipeline=pipeline)
            for node in pipeline.nodes:
                if node.library_name:
                    self._add_node(pipeline, node, found, failed)
        kept = {name: self._good[name] for name in failed if name in self._good}
        self._good = kept | found
        roots = {} if self._allow_symlinks else {name: _root(config.base_path) for name, config in self._good.items()}
        errors = {
            name: (NotThere if name in moved else LoadFailed)(sentence, self._file) for name, sentence in failed.items()
        }
        return replace(sorted_out(self._good, errors, roots), passed_over=listed.passed_over)

    def _moved_to_nowhere(self, listed: OvmsConfig) -> dict[str, str]:
        """Find the models that were elsewhere and whose new base_path is not there."""
        moved = {}
        for config in listed.models:
            before = self._good.get(config.name)
            if before is None or before.base_path == config.base_path or os.path.lexists(config.base_path):
                self._nowhere.discard(config.base_path)
                continue
            sentence = moved[config.name] = f"{self._file.name}: base_path of model '{config.name}' does not exist"
            if config.base_path not in self._nowhere:
                logger.error("entry refused", model=config.name, cause=sentence, path=str(config.base_path))
            self._nowhere.add(config.base_path)
        return moved

    def _add_node(
        self, pipeline: PipelineConfig, node: NodeConfig, found: dict[str, ModelConfig], failed: dict[str, str]
    ) -> None:
        assert self._listed is not None  # noqa: S101 - it has just been read
        name = node.servable_of(pipeline.name)
        path = next((library.path for library in self._listed.libraries if library.name == node.library_name), None)
        if path is None:
            failed[name] = f"custom_node_library_config_list has no library '{node.library_name}'"
            return
        parameters = {key: {"string_value": value} for key, value in node.params.items()}
        document = {"name": name, "backend": "python", "parameters": parameters}
        found[name] = ModelConfig(name=name, base_path=path, declared=TritonConfig(name, document=document))

    def _tell(self, listed: OvmsConfig) -> None:
        for warning in listed.warnings:
            logger.warning(warning, path=str(self._file))
        for refused in listed.errors:
            logger.error("entry refused", **{refused.kind: refused.name}, cause=refused.sentence, path=str(self._file))


def _root(base: Path) -> Path:
    real = Path(os.path.realpath(base))
    return real if real.is_dir() else real.parent
