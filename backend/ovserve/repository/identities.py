"""Which folders and files lie at paths now: another one under the same name is a different one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

# Device and inode of each path; None for one that is not there.
Identities: TypeAlias = dict[Path, tuple[int, int] | None]


def identities(paths: Sequence[Path]) -> Identities:
    found: Identities = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found[path] = None
            continue
        found[path] = (status.st_dev, status.st_ino)
    return found
