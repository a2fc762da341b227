"""Follows the repository while the server runs, in the way that --model_control_mode says."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ovserve.config.loading import ControlMode
from ovserve.observability.logs import get_logger
from ovserve.repository.watch import Watcher, tells_changes
from ovserve.serving.reconciler import Reconciler

# Events get lost: a full look now and then finds what they did not tell.
_FULL_LOOK_S = 30.0

logger = get_logger("ovserve.repository")


class Following:
    """Runs the reconciler for the time of the `with` block; in mode `none` only when a reload is asked for."""

    def __init__(
        self, reconciler: Reconciler, paths: Callable[[], Sequence[Path]], mode: ControlMode, poll_s: float
    ) -> None:
        self._reconciler = reconciler
        self._poll_s = poll_s
        self._mode = mode
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="repository", daemon=True)
        self._watcher = Watcher(paths, reconciler.dirty.set) if mode == "watch" else None
        self._paths = paths

    def __enter__(self) -> Self:
        if self._watcher is not None:
            if not self._is_told():
                logger.info("the file system does not tell of all changes: looking at intervals", seconds=self._poll_s)
            self._watcher.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._reconciler.dirty.set()
        if self._watcher is not None:
            self._watcher.stop()

    def _run(self) -> None:
        if self._mode == "none":
            self._reconciler.dirty.wait()
        self._reconciler.run(self._period_s, self._stopped)

    def _is_told(self) -> bool:
        return all(map(tells_changes, self._paths()))

    def _period_s(self) -> float | None:
        """How long the reconciler may wait before it looks again."""
        if self._mode in {"explicit", "none"}:
            return None
        if self._watcher is None or self._watcher.failed.is_set() or not self._is_told() or self._reconciler.has_links:
            return self._poll_s
        return max(_FULL_LOOK_S, self._poll_s)
