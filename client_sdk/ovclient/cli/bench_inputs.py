from pathlib import Path

import numpy as np

from ovclient.cli.failure import CommandFailed


def read_file(text: str) -> tuple[str | None, np.ndarray]:
    """The array of `name=file.npy`, or of `file.npy` for a model of one input."""
    name, equals, path = text.partition("=")
    return (name, _read(Path(path))) if equals and not Path(text).exists() else (None, _read(Path(text)))


def _read(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CommandFailed(f"--input: cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise CommandFailed(f"--input: {path} is no .npy file without pickled objects") from error
    if not isinstance(loaded, np.ndarray):
        raise CommandFailed(f"--input: {path} is no .npy file, but an archive of several")
    return loaded
