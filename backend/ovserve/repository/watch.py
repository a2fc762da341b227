"""Notices at once that something changed, where the file system tells; says where it does not."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import watchfiles

from ovserve.observability.logs import get_logger
from ovserve.repository.identities import Identities, identities

# File systems of this machine's own kernel tell of every change. Overlays hide what happens in their lower layers, and
# network mounts what others do.
_LOCAL = {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "ramfs", "tmpfs", "xfs", "zfs"}

_MOUNTS = Path("/proc/self/mountinfo")
_DEBOUNCE_MS = 200
_STEP_MS = 50
_LOOK_AFTER_MS = 1000

logger = get_logger("ovserve.repository")


class Watcher:
    """Calls `on_change` soon after anything below `paths` changed, in a thread of its own.

    `paths` are asked for again and again, since a configuration may add some.
    """

    def __init__(self, paths: Callable[[], Sequence[Path]], on_change: Callable[[], None]) -> None:
        self._paths = paths
        self._on_change = on_change
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.failed = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            before = None
            while not self._stopped.is_set():
                now = identities(self._paths())
                if before is not None and before != now:
                    self._on_change()
                self._watch(now)
                before = now
        except OSError as error:  # no more watches to be had, for instance
            logger.warning("the system does not tell of changes: looking at intervals", cause=error.strerror)
            self.failed.set()
            self._on_change()

    def _watch(self, before: Identities) -> None:
        """Watch until stopped, or until another folder has taken the place of one that is watched."""
        present = [path for path in self._paths() if path.exists()]
        if not present:
            self._stopped.wait(_LOOK_AFTER_MS / 1000)
            return
        is_armed = False  # the first look comes after that, for what changed until then
        for changes in watchfiles.watch(
            *present,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=self._stopped,
            rust_timeout=_LOOK_AFTER_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            if changes or not is_armed:
                self._on_change()
            is_armed = True
            if identities(self._paths()) != before:
                return


def tells_changes(path: Path, mounts: str | None = None) -> bool:
    """Tell whether the file system of `path` sends an event for every change; `mounts` is Linux's mountinfo."""
    try:
        text = _MOUNTS.read_text() if mounts is None else mounts
    except OSError:
        return False
    real = Path(os.path.realpath(path))
    kinds = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kinds[Path(_unescaped(before.split(" ")[4]))] = after.split(" ")[0]
    nearest = next((kinds[folder] for folder in (real, *real.parents) if folder in kinds), None)
    return nearest in _LOCAL


def _unescaped(path: str) -> str:
    """Undo the octal escapes of mountinfo (proc_pid_mountinfo(5))."""
    for escape, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        path = path.replace(escape, character)
    return path
