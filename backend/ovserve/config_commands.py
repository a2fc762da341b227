"""`--list_models`, `--add_to_config`, `--remove_from_config` (spec A.3): commands that OVMS writes as flags."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ovserve.config import layouts, shapes
from ovserve.config.atomic_file import replace_text
from ovserve.config.config_edit import with_model, without_model
from ovserve.config.model_flags import ModelFlags
from ovserve.config.ovms_json import FILE_NAME, config_file, local_path, read_text
from ovserve.default_repository import VARIABLE
from ovserve.errors import ConfigInvalid, LoadFailed, OVServeError
from ovserve.repository.servables import find_servables

_Repository = Annotated[Path | None, Parameter(env_var=VARIABLE)]


class WrongUsage(OVServeError):
    """A flag is missing or does not belong here."""


class CommandFailed(OVServeError):
    """The command was right and could not be done."""


def list_models(*, model_repository_path: _Repository = None) -> int:
    """Print every model below --model_repository_path, as a path relative to it.

    Args:
        model_repository_path: Folder to look through, folders in folders included.
    """
    if model_repository_path is None:
        raise WrongUsage("Use --list_models with --model_repository_path")
    try:
        found = find_servables(model_repository_path)
    except LoadFailed as error:
        raise CommandFailed(f"{error.path}: {error}") from error
    print("".join(f"{name}\n" for name in found), end="")
    return 0


def add_to_config(
    *,
    model_name: str | None = None,
    config_path: Path | None = None,
    model_path: str | None = None,
    model_repository_path: _Repository = None,
    flags: Annotated[ModelFlags | None, Parameter(name="*")] = None,
) -> int:
    """Add a model to a config.json, which is made where there is none; every flag of a model is kept with it.

    Args:
        model_name: Name to serve it under.
        config_path: The file, or the folder of a config.json.
        model_path: The model's folder or file; a relative one starts at the file's folder.
        model_repository_path: Folder in which the model lies under its name, instead of model_path.
        flags: The model's settings, as for serving.
    """
    file, name = _file_and_name(config_path, model_name)
    if model_path is not None:
        base_path = model_path
    elif model_repository_path is not None:
        base_path = _seen_from(file, model_repository_path / name)
    else:
        raise WrongUsage("Set model_name either with model_path or model_repository_path with add_to_config")
    try:
        place = local_path(base_path, file.parent)
    except ValueError as error:
        raise WrongUsage(f"--model_path: {error}") from error
    config = {"name": name, "base_path": base_path, **_given(flags or ModelFlags())}
    try:
        edited = with_model(read_text(file) if file.exists() else None, config)
    except ValueError as error:
        raise ConfigInvalid(str(error), file) from error
    if edited is None:
        raise CommandFailed(
            f"Could not add model to configuration file: {file}. Model with the same name already exists."
        )
    _write(file, edited)
    print(f"Added model '{name}' at {place} to {file}")
    if not place.exists():
        print(f"ovserve: warning: there is nothing at {place} yet", file=sys.stderr)
    return 0


def remove_from_config(
    *, model_name: str | None = None, config_path: Path | None = None, model_path: str | None = None
) -> int:
    """Take a model out of a config.json.

    Args:
        model_name: Its name.
        config_path: The file, or the folder of a config.json.
        model_path: Not allowed here.
    """
    if model_path is not None:
        raise WrongUsage("--model_path cannot be used with --remove_from_config")
    file, name = _file_and_name(config_path, model_name)
    if not file.exists():
        raise CommandFailed(f"Config path does not exist: {file}")
    try:
        edited = without_model(read_text(file), name)
    except ValueError as error:
        raise ConfigInvalid(str(error), file) from error
    if edited is None:
        raise CommandFailed(f"Configuration file doesn't have model with name: {name}.")
    _write(file, edited)
    print(f"Removed model '{name}' from {file}")
    return 0


def _file_and_name(config_path: Path | None, model_name: str | None) -> tuple[Path, str]:
    repository = os.environ.get(VARIABLE)
    if config_path is None and repository:
        config_path = Path(repository, FILE_NAME)
    if config_path is None:
        raise WrongUsage("Set config_path with add_to_config/remove_from_config")
    if not model_name:
        raise WrongUsage("Set model_name with add_to_config/remove_from_config")
    return Path(os.path.abspath(config_file(config_path))), model_name  # noqa: PTH100 - Path.resolve follows links


def _seen_from(file: Path, place: Path) -> str:
    """Write a place on the command line as base_path has it: relative where it lies below the file's folder."""
    absolute = Path(os.path.abspath(place))  # noqa: PTH100 - Path.resolve follows links
    return str(absolute.relative_to(file.parent) if absolute.is_relative_to(file.parent) else absolute)


def _given(flags: ModelFlags) -> dict[str, Any]:
    """Write the flags given as config.json has them."""
    return {
        name: _as_json(name, getattr(flags, name)) for name in ModelFlags.model_fields if name in flags.model_fields_set
    }


def _as_json(name: str, value: Any) -> Any:
    """Turn a text that is written like JSON into JSON, as OVMS does."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    if name == "shape":
        value = shapes.show_shapes(shapes.parse_shapes(value))  # which quotes what came without quotes
    elif name == "layout":
        value = layouts.show_layouts(layouts.parse_layouts(value))
    try:
        return json.loads(value)
    except json.JSONDecodeError:  # [.5] is a mean, and no JSON
        return value


def _write(file: Path, text: str) -> None:
    try:
        replace_text(file, text)
    except OSError as error:
        raise ConfigInvalid(f"the file cannot be written: {error.strerror}", file) from error
