"""Loads of versions, which run beside the reconciler: one that fails or takes long delays no other."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed
from ovserve.observability.logs import get_logger
from ovserve.serving.desired import Name, Wanted
from ovserve.serving.drained import drained
from ovserve.serving.servable import Servable

LoadVersion: TypeAlias = Callable[[ModelConfig, int, Path], Servable]

logger = get_logger("ovserve.repository")


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of a load."""

    name: Name
    wanted: Wanted
    seconds: float
    servable: Servable | None = None
    error: LoadFailed | None = None


class Loads:
    """One thread begins loads and takes what has landed; `wake` is set when there is something to take."""

    def __init__(
        self, load_version: LoadVersion, *, at_once: int, wake: threading.Event, clock: Callable[[], float]
    ) -> None:
        self._load_version = load_version
        self._wake = wake
        self._clock = clock
        self._running: dict[Name, Wanted] = {}
        self._landed: SimpleQueue[Landed] = SimpleQueue()
        self._executor = ThreadPoolExecutor(at_once, thread_name_prefix="load")

    @property
    def running(self) -> Mapping[Name, Wanted]:
        """What is begun, and not taken yet."""
        return self._running

    def begin(self, name: Name, wanted: Wanted) -> None:
        self._running[name] = wanted
        self._executor.submit(self._load, name, wanted)

    def take(self) -> list[Landed]:
        landed = drained(self._landed)
        for each in landed:
            del self._running[each.name]
        return landed

    def _load(self, name: Name, wanted: Wanted) -> None:
        started_s = self._clock()
        servable: Servable | None = None
        error: LoadFailed | None = None
        try:
            if wanted.seen.error is not None:
                raise LoadFailed(wanted.seen.error, wanted.seen.place)  # noqa: TRY301 - handled like any other
            servable = self._load_version(wanted.config, name[1], wanted.seen.place)
        except LoadFailed as refused:
            error = refused
        except Exception as fault:
            # The last line of defence: a fault of ours in one model must not stop the others.
            logger.exception("version failed", model=name[0], version=name[1])
            error = LoadFailed(f"internal error while loading: {type(fault).__name__}", wanted.seen.place)
        if wanted.seen.look_again() != wanted.seen:
            # Whatever came of it may be half of one state and half of another.
            servable, error = None, LoadFailed("its files changed while they were read", wanted.seen.place)
        self._landed.put(Landed(name, wanted, self._clock() - started_s, servable, error))
        self._wake.set()
