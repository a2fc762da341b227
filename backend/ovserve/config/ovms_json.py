"""OVMS's config.json (spec C.1) -> the models it lists, and what is wrong with it.

Keys and types are checked for the file as a whole: what is wrong there refuses the file, and nothing changes. What a
value says is checked entry by entry, by the flags' grammars: what is wrong there concerns that model only.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from ovserve.config.json_document import parse_document, show_place
from ovserve.config.json_schema import told
from ovserve.config.model import ModelConfig
from ovserve.config.ovms_schema import File, LibraryEntry, ModelEntry, Monitoring
from ovserve.config.pipeline import PipelineConfig
from ovserve.config.plugin_config import translate
from ovserve.errors import ConfigInvalid

FILE_NAME = "config.json"

_REMOTE = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_TEXTS = frozenset(
    ("model_version_policy", "shape", "batch_size", "layout", "mean", "scale", "color_format", "precision")
)
# What OVMS knows and we do without: why it has no effect.
_IDLE_KEYS = {
    "allow_cache": "with --cache_dir every model is cached",
    "custom_loader_options": "models are read from files only",
    "graph_path": "MediaPipe graphs are not served",
    "subconfig": "MediaPipe graphs are not served",
}
_OF_STATEFUL_MODELS = {"idle_sequence_cleanup", "max_sequence_number"}
_IDLE_LISTS = {
    "mediapipe_config_list": "MediaPipe graphs are not served",
    "custom_loader_config_list": "models are read from files only",
}


@dataclass(frozen=True, slots=True)
class NodeLibrary:
    """What a custom node runs: a Python file."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class EntryError:
    """An entry that cannot be used, in words fit for clients."""

    kind: Literal["model", "pipeline", "library"]
    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class OvmsConfig:
    """What the file asks for; of entries with the same name only the first counts, and the others are errors."""

    models: tuple[ModelConfig, ...] = ()
    pipelines: tuple[PipelineConfig, ...] = ()
    libraries: tuple[NodeLibrary, ...] = ()
    monitoring: Monitoring | None = None
    errors: tuple[EntryError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> Mapping[str, str]:
        """The models and pipelines listed that cannot be served, with the reason.

        A name that another entry serves is not here.
        """
        served = {model.name for model in self.models} | {pipeline.name for pipeline in self.pipelines}
        wrong = [error for error in self.errors if error.kind != "library" and error.name not in served]
        return MappingProxyType({error.name: error.sentence for error in reversed(wrong)})

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What is wrong with entries whose name another one serves."""
        failed = self.failed
        return tuple(error.sentence for error in self.errors if error.kind != "library" and error.name not in failed)


def config_file(path: Path) -> Path:
    """Find the file that `--config_path` means: a folder stands for the config.json in it."""
    return path / FILE_NAME if path.is_dir() else path


def read_config(path: Path) -> OvmsConfig:
    """Read the file, or config.json in a folder; raises `ConfigInvalid` for a file that is refused as a whole."""
    file = Path(os.path.abspath(config_file(path)))  # noqa: PTH100 - Path.resolve follows links
    return parse_config(read_text(file), file)


def read_text(file: Path) -> str:
    """Read the text of a configuration file; raises `ConfigInvalid`."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigInvalid("the file does not exist", file, is_opened=False) from None
    except PermissionError:
        cause = "the file cannot be read by the server's user: permission denied"
        raise ConfigInvalid(cause, file, is_opened=False) from None
    except UnicodeDecodeError:
        raise ConfigInvalid("the file is not UTF-8 text", file) from None
    except OSError as error:
        raise ConfigInvalid(f"the file cannot be read: {error.strerror}", file, is_opened=False) from error


def parse_config(text: str, file: Path) -> OvmsConfig:
    """Read the text of `file`, whose folder relative paths start from; raises `ConfigInvalid`. Pure."""
    try:
        document = File.model_validate(parse_document(text))
    except ValidationError as error:
        raise ConfigInvalid(told(error), file) from error
    except ValueError as error:
        raise ConfigInvalid(str(error), file) from error
    return _Reading(file).read(document)


class _Reading:
    """Goes through a file's entries and keeps what is found."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._models: dict[str, ModelConfig | None] = {}
        self._pipelines: dict[str, PipelineConfig] = {}
        self._libraries: dict[str, NodeLibrary] = {}
        self._errors: list[EntryError] = []
        self._warnings: list[str] = []

    def read(self, document: File) -> OvmsConfig:
        for name, reason in _IDLE_LISTS.items():
            if getattr(document, name):
                self._warn(f"{name} has no effect here: {reason}")
        for index, entry in enumerate(document.model_config_list):
            self._read_model(entry.config, ("model_config_list", index, "config"))
        for index, pipeline in enumerate(document.pipeline_config_list):
            self._read_pipeline(pipeline, ("pipeline_config_list", index))
        for index, library in enumerate(document.custom_node_library_config_list):
            self._read_library(library, ("custom_node_library_config_list", index))
        return OvmsConfig(
            models=tuple(model for model in self._models.values() if model is not None),
            pipelines=tuple(self._pipelines.values()),
            libraries=tuple(self._libraries.values()),
            monitoring=document.monitoring,
            errors=tuple(self._errors),
            warnings=tuple(self._warnings),
        )

    def _read_model(self, entry: ModelEntry, place: tuple[str | int, ...]) -> None:
        if entry.name in self._models:
            self._refuse("model", entry.name, (*place, "name"), _taken(entry.name, "model"))
            return
        self._models[entry.name] = None  # the name is taken, even if its entry turns out to be wrong
        for key, reason in _IDLE_KEYS.items():
            if key in entry.model_fields_set:
                self._warn(f"{show_place((*place, key))} has no effect here: {reason}")
        if not entry.stateful:
            for key in sorted(_OF_STATEFUL_MODELS & entry.model_fields_set):
                self._warn(f"{show_place((*place, key))} has no effect: the model is not stateful")
        try:
            base_path = local_path(entry.base_path, self._file.parent)
        except ValueError as error:
            self._refuse("model", entry.name, (*place, "base_path"), str(error))
            return
        try:
            plugin_config = translate(entry.plugin_config)
        except ValueError as error:
            self._refuse("model", entry.name, (*place, "plugin_config"), str(error))
            return
        try:
            self._models[entry.name] = ModelConfig(
                name=entry.name, base_path=base_path, plugin_config=plugin_config.properties, **_as_flags(entry)
            )
        except ValidationError as error:
            self._errors.append(EntryError("model", entry.name, f"{self._file.name}: {told(error, place)}"))
            return
        for sentence in plugin_config.warnings:
            self._warn(f"{show_place((*place, 'plugin_config'))}: {sentence}")

    def _read_pipeline(self, pipeline: PipelineConfig, place: tuple[str | int, ...]) -> None:
        for what, names in (("model", self._models), ("pipeline", self._pipelines)):
            if pipeline.name in names:
                self._refuse("pipeline", pipeline.name, (*place, "name"), _taken(pipeline.name, what))
                return
        self._pipelines[pipeline.name] = pipeline

    def _read_library(self, library: LibraryEntry, place: tuple[str | int, ...]) -> None:
        if library.name in self._libraries:
            self._refuse("library", library.name, (*place, "name"), _taken(library.name, "library"))
            return
        try:
            self._libraries[library.name] = NodeLibrary(library.name, local_path(library.base_path, self._file.parent))
        except ValueError as error:
            self._refuse("library", library.name, (*place, "base_path"), str(error))

    def _refuse(
        self, kind: Literal["model", "pipeline", "library"], name: str, place: tuple[str | int, ...], sentence: str
    ) -> None:
        self._errors.append(EntryError(kind, name, f"{self._file.name}: {show_place(place)}: {sentence}"))

    def _warn(self, sentence: str) -> None:
        self._warnings.append(f"{self._file.name}: {sentence}")


def _taken(name: str, what: str) -> str:
    return f"the name '{name}' is taken by a {what} further up; only the first counts"


def _as_flags(entry: ModelEntry) -> dict[str, Any]:
    """Write the entry's settings as the flags would have them."""
    own = entry.model_dump(
        exclude_unset=True, include=ModelConfig.model_fields.keys() - {"name", "base_path", "plugin_config"}
    )
    if not own.get("target_device", "CPU"):
        del own["target_device"]  # OVMS writes an empty one for its default
    return {
        name: json.dumps(value) if name in _TEXTS and not isinstance(value, str) else value
        for name, value in own.items()
    }


def local_path(text: str, folder: Path) -> Path:
    """Find what a base_path means; raises `ValueError` with a sentence that tells no absolute path."""
    if not text:
        raise ValueError("is missing: the model's folder or file")
    if "\0" in text:
        raise ValueError("holds a NUL character: no path does")
    if found := _REMOTE.match(text):
        raise ValueError(f"paths that begin with {found[0]} are not supported: expected a local folder or file")
    if ".." in PurePath(text).parts:
        shown = "" if PurePath(text).is_absolute() else f" {text}"
        raise ValueError(f"Path{shown} escape with .. is forbidden.")
    return Path(os.path.abspath(folder / text))  # noqa: PTH100 - Path.resolve follows links
