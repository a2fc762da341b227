"""The names of classes: `label_filename` of config.pbtxt, one name a line, by index."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed

Labels: TypeAlias = Mapping[str, tuple[bytes, ...]]

_MOST_BYTES = 16 << 20


def read_labels(config: ModelConfig) -> Labels:
    """Read the names for each output that has some; raises `LoadFailed` for a file that cannot be had."""
    if config.declared is None:
        return {}
    named = {tensor.name: tensor.label_file for tensor in config.declared.outputs if tensor.label_file}
    return {output: _read(config.base_path, name, output) for output, name in named.items()}


def _read(folder: Path, name: str, output: str) -> tuple[bytes, ...]:
    label = f"config.pbtxt: label_filename '{name}' of output '{output}'"
    path = folder / name
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise LoadFailed(f"{label} leads out of the model's folder", path)
    try:
        if path.exists() and not path.is_file():
            raise LoadFailed(f"{label} is not a file", path)
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise LoadFailed(f"{label} cannot be read: {error.strerror}", path) from error
    if len(data) > _MOST_BYTES:
        raise LoadFailed(f"{label} is larger than {_MOST_BYTES} bytes", path)
    return tuple(line.rstrip(b"\r") for line in data.removesuffix(b"\n").split(b"\n"))
