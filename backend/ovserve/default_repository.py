"""OVMS's environment variable for where models lie, if nothing else says so (spec A.3)."""

import os
from pathlib import Path

from cyclopts import App, ArgumentCollection, Token

from ovserve.config.ovms_json import FILE_NAME

VARIABLE = "OVMS_MODEL_REPOSITORY_PATH"

_SOURCES = ("--model_repository", "--config_path", "--model_name", "--model_path")


def default_repository(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Serve the repository that the variable names or, where there is one, the config.json in it (for cyclopts)."""
    folder = os.environ.get(VARIABLE)
    sources = {argument.name: argument for argument in arguments if argument.name in _SOURCES}
    if not folder or len(sources) < len(_SOURCES) or any(argument.tokens for argument in sources.values()):
        return
    file = Path(folder, FILE_NAME)
    name, place = ("--config_path", str(file)) if file.is_file() else ("--model_repository", folder)
    sources[name].append(Token(keyword=VARIABLE, value=place, source="env"))
