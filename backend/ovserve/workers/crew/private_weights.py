"""A copy of a model's weights that all workers map: in memory once, and nobody can change or truncate it."""

import fcntl
import os
import weakref
from pathlib import Path

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.repository.layout import Kind
from ovserve.serving.loader import find_model_files

_LEAST_BYTES = 8 << 20  # less is not worth it: 9 MB save 3, 2 MB nothing
_AT_ONCE = 1 << 30
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

logger = get_logger("ovserve.workers")


class PrivateWeights:
    """Memory that is a file, of this process, as long as somebody has this; who has mapped it keeps it.

    Raises `OSError`.
    """

    def __init__(self, weights: Path) -> None:
        self._file = os.memfd_create(weights.name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        weakref.finalize(self, os.close, self._file)
        with weights.open("rb") as original:
            while os.sendfile(self._file, original.fileno(), None, _AT_ONCE):
                pass
        fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, _SEALS)
        # For all processes of the server's user.
        self.path = Path(f"/proc/{os.getpid()}/fd/{self._file}")


def copied(config: ModelConfig, place: Path) -> PrivateWeights | None:
    """Copy the weights of a version; None where it has few, or none in a file of their own, or the system will not."""
    if config.declared is not None and config.declared.document.get("backend") == "python":
        return None
    try:
        files = find_model_files(config, place)
        if files.kind is not Kind.IR or files.weights is None or files.weights.stat().st_size < _LEAST_BYTES:
            return None
        return PrivateWeights(files.weights)
    except LoadFailed:
        return None  # to load it says why
    except OSError as error:
        logger.warning("workers cannot share its weights", model=config.name, cause=error.strerror)
        return None
