"""A user who may not read everything: root, in whose hands tests often are, must first be made to mind permissions."""

import ctypes
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def mind_permissions() -> None:
    """Drop root's leave to read what belongs to others, for the program about to be executed."""
    if os.geteuid() == 0:
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "cannot drop a capability")


def keep_out(path: Path, mode: int = 0o700) -> None:
    """Make `path` another user's own; without root's power to give it away, nobody's."""
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        path.chmod(mode)
    else:
        path.chmod(0)


def let_in(*paths: Path) -> None:
    for path in paths:
        path.chmod(0o755)
