"""Where models come from: one model, or every folder of model repositories."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed, NotConfigured
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import find_models

logger = get_logger("ovserve.repository")


@dataclass(frozen=True, slots=True)
class Configured:
    """The models and `pipelines` that are configured.

    `errors` say, by name, what is wrong with others, or with new settings of one that goes on as it was configured.

    `passed_over` are complaints of what has no name of its own, so that nothing else can tell of them.

    `roots` are the folders that a model's links must not leave; a model without one may have links to anywhere.
    """

    models: Mapping[str, ModelConfig]
    errors: Mapping[str, LoadFailed] = field(default_factory=dict)
    roots: Mapping[str, Path] = field(default_factory=dict)
    pipelines: Mapping[str, ModelConfig] = field(default_factory=dict)
    passed_over: Sequence[str] = ()

    def parts(self, name: str) -> set[str]:
        """Name a pipeline and what it runs, or only the model."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                config = self.pipelines.get(name)
                nodes = () if config is None or config.pipeline is None else config.pipeline.nodes
                waiting += [node.servable_of(name) for node in nodes]
        return found


def sorted_out(
    configs: Mapping[str, ModelConfig], errors: Mapping[str, LoadFailed], roots: Mapping[str, Path]
) -> Configured:
    """Tell models from pipelines."""
    models = {name: config for name, config in configs.items() if config.pipeline is None}
    pipelines = {name: config for name, config in configs.items() if config.pipeline is not None}
    return Configured(models, errors, roots, pipelines)


class Source(Protocol):
    """Tells which models are configured now."""

    @property
    def paths(self) -> Sequence[Path]:
        """What to watch for changes."""
        ...

    def configured(self) -> Configured:
        """Look; raises `LoadFailed` where nothing can be known now."""
        ...


class SingleModel:
    """One model, from its folder or its file."""

    def __init__(self, config: ModelConfig, *, allow_symlinks: bool) -> None:
        self._config = config
        self._allow_symlinks = allow_symlinks
        self.paths = (config.base_path,)

    def configured(self) -> Configured:
        name, base = self._config.name, self._config.base_path
        real = Path(os.path.realpath(base))
        roots = {} if self._allow_symlinks else {name: real if os.path.isdir(real) else real.parent}  # noqa: PTH112 - Path.is_dir raises where it may not look
        return Configured({name: self._config}, roots=roots)


class Repositories:
    """Every folder of several model repositories."""

    def __init__(
        self, folders: Sequence[Path], config: Callable[[str, Path], ModelConfig], *, allow_symlinks: bool
    ) -> None:
        self.paths = tuple(folders)
        self._config = config
        self._allow_symlinks = allow_symlinks
        self._good: dict[str, ModelConfig] = {}
        self._refused: dict[str, str] = {}

    def configured(self) -> Configured:
        configs: dict[str, ModelConfig] = {}
        errors: dict[str, LoadFailed] = {}
        roots: dict[str, Path] = {}
        for folder in self.paths:
            try:
                found = find_models(folder)
            except LoadFailed as error:
                raise LoadFailed(f"model repository {folder}: {error}", folder) from error
            for name, path in found.items():
                if name in configs or name in errors:
                    errors[name] = NotConfigured(f"model '{name}' is found in more than one model repository", path)
                    configs.pop(name, None)
                    continue
                try:
                    configs[name] = self._config(name, path)
                    self._refused.pop(name, None)
                except LoadFailed as error:
                    errors[name] = error
                    self._keep(name, error, configs)
                if not self._allow_symlinks:
                    roots[name] = Path(os.path.realpath(folder))
        self._good = configs
        self._refused = {name: sentence for name, sentence in self._refused.items() if name in configs}
        return sorted_out(configs, errors, roots)

    def _keep(self, name: str, error: LoadFailed, models: dict[str, ModelConfig]) -> None:
        """Have a model whose configuration has become wrong go on as it was."""
        if name not in self._good:
            return
        models[name] = self._good[name]
        if self._refused.get(name) != str(error):
            self._refused[name] = str(error)
            logger.error("configuration refused", model=name, cause=str(error), path=str(error.path))
