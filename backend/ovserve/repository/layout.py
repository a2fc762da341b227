"""A model's folder -> its versions -> the files of each (spec section D)."""

import re
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ovserve.errors import LoadFailed, NotThere, NoVersion, Unreadable


class Kind(Enum):
    """A model format, in the order in which a folder is searched for it."""

    IR = ("OpenVINO IR", ".xml", ".bin")
    ONNX = ("ONNX", ".onnx", None)
    PADDLE = ("PaddlePaddle", ".pdmodel", ".pdiparams")
    TENSORFLOW = ("TensorFlow", ".pb", None)
    TFLITE = ("TensorFlow Lite", ".tflite", None)

    def __init__(self, label: str, suffix: str, weights_suffix: str | None) -> None:
        self.label = label
        self.suffix = suffix
        self.weights_suffix = weights_suffix


_EXPECTED = "model.xml with model.bin, .onnx, .pdmodel with .pdiparams, saved_model.pb, .pb or .tflite"
_FILES = {".py", *(kind.suffix for kind in Kind)}
_NUMBER = re.compile(r"[1-9][0-9]*")
_LOOKS_NUMERIC = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What OpenVINO reads: `path` is a file, or the folder of a SavedModel; `folder` may hold mapping_config.json.

    `private_weights` are the same as `weights` where nobody can change them, so that they may be mapped.
    """

    kind: Kind
    path: Path
    weights: Path | None
    folder: Path
    private_weights: Path | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """Where each version of a model lies, and what was passed over with the reason."""

    places: dict[int, Path]
    ignored: tuple[str, ...] = ()


def find_models(repository: Path) -> dict[str, Path]:
    """Name each folder of the repository, hidden ones left out; raises `LoadFailed` where it cannot be read."""
    return {entry.name: entry for entry in _entries(repository) if _is_dir(entry) and not entry.name.startswith(".")}


def is_version(name: str) -> bool:
    """Tell whether a folder of that name is a version: a positive number without leading zeros."""
    return _NUMBER.fullmatch(name) is not None


def find_versions(base: Path) -> Versions:
    """Find a model's versions: numbered folders, else the files lying directly in `base`, or `base` itself, as 1.

    Raises `NoVersion` where there is none, `LoadFailed` where the folder cannot be looked at.
    """
    if _is_file(base):
        return Versions({1: base})
    places: dict[int, Path] = {}
    ignored: list[str] = []
    for entry in _entries(base):
        if not _is_dir(entry):
            continue
        if is_version(entry.name):
            places[int(entry.name)] = entry
        elif _LOOKS_NUMERIC.fullmatch(entry.name):
            ignored.append(f"folder '{entry.name}' is ignored: a version is a positive number without leading zeros")
    if places:
        return Versions(places, tuple(ignored))
    if _pick(_entries(base)) is not None:
        return Versions({1: base}, tuple(ignored))
    raise NoVersion(
        f"no version found: expected a folder named by a number (1, 2, ...) or model files ({_EXPECTED})", base
    )


def find_files(place: Path) -> ModelFiles:
    """Find the model files of one version; raises `LoadFailed` that says which are missing."""
    if _is_file(place):
        files = _pick([place, *(place.with_suffix(kind.weights_suffix or "") for kind in Kind)], only=place)
        folder = place.parent
    else:
        files = _pick(_entries(place))
        folder = place
    if files is None:
        raise LoadFailed(_missing(place), place)
    kind, path, weights = files
    if kind is Kind.TENSORFLOW and path.name == "saved_model.pb":
        path = path.parent
    return ModelFiles(kind, path, weights, folder)


def _pick(entries: list[Path], only: Path | None = None) -> tuple[Kind, Path, Path | None] | None:
    names = {entry.name: entry for entry in entries if _is_file(entry)}
    for kind in Kind:
        for entry in sorted(names.values()):
            if entry.suffix.lower() != kind.suffix or (only is not None and entry != only):
                continue
            if kind.weights_suffix is None:
                return kind, entry, None
            weights = names.get(entry.stem + kind.weights_suffix)
            if weights is not None:
                return kind, entry, weights
    return None


def _missing(place: Path) -> str:
    present = [place] if _is_file(place) else [entry for entry in _entries(place) if _is_file(entry)]
    for kind in Kind:
        for entry in present:
            if entry.suffix.lower() == kind.suffix and kind.weights_suffix is not None:
                return f"{entry.name} needs {entry.stem}{kind.weights_suffix} beside it, which is missing"
    return f"no model file found: expected {_EXPECTED}"


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        what = "file" if folder.suffix.lower() in _FILES else "folder"
        raise NotThere(f"the {what} does not exist", folder) from None
    except NotADirectoryError:
        raise LoadFailed("it is not a folder", folder) from None
    except PermissionError:
        raise _denied(folder) from None
    except OSError as error:
        raise Unreadable(f"the folder cannot be read: {error.strerror}", folder) from None


def _is_dir(path: Path) -> bool:
    """Tell whether `path` is a folder; one that may not even be looked at counts as one, and fails when it is read."""
    mode = _mode(path)
    return mode is None or stat.S_ISDIR(mode)


def _is_file(path: Path) -> bool:
    """Tell whether `path` is a file; raises `LoadFailed` for one that may not even be looked at."""
    mode = _mode(path)
    if mode is None:
        raise _denied(path.parent)
    return stat.S_ISREG(mode)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except PermissionError:
        return None
    except OSError:  # gone meanwhile, or a link to nowhere
        return 0


def _denied(folder: Path) -> Unreadable:
    return Unreadable("the folder cannot be read by the server's user: permission denied", folder)
