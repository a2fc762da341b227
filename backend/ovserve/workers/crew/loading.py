"""Loads each version in all processes: one is not served before every worker has it."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ovserve.config.model import ModelConfig
from ovserve.errors import LoadFailed
from ovserve.serving.servable import Servable
from ovserve.workers.crew.parts import Part, Parts
from ovserve.workers.crew.private_weights import copied
from ovserve.workers.crew.worker import Worker
from ovserve.workers.crew.workers import Workers
from ovserve.workers.letters.conversation import Pending


class LoadPart(Protocol):
    """Loads a version in one process; raises `LoadFailed`."""

    def __call__(
        self, config: ModelConfig, version: int, place: Path, *, private_weights: Path | None = None
    ) -> Servable: ...


class LoadsEverywhere:
    """Calls `load` for this process, and has the workers do the same.

    At the same time or, where compiled models are kept in a folder, one after the other: two at once would write there.
    A model of which requests come in sequences is loaded here only, for its sequences have to be in one place.
    """

    def __init__(self, load: LoadPart, workers: Workers, parts: Parts, *, at_once: bool) -> None:
        self._load = load
        self._workers = workers
        self._parts = parts
        self._at_once = at_once

    def __call__(self, config: ModelConfig, version: int, place: Path) -> Servable:
        """Load; raises `LoadFailed` where a process refuses."""
        part = self._parts.plan(config, version, place)
        if config.keeps_sequences:
            servable = self._load(config, version, place)
            self._parts.put(servable, part, everywhere=False)
            return servable
        part = replace(part, weights=copied(config, place))
        try:
            asked = self._begin(part) if self._at_once else []
            weights = None if part.weights is None else part.weights.path
            servable = self._load(config, version, place, private_weights=weights)
            self._finish(part, asked)
        except BaseException:
            self._drop(part.number)
            raise
        weakref.finalize(servable, self._drop, part.number)
        self._parts.put(servable, part, everywhere=True)
        return servable

    def missing(self, worker: Worker) -> Sequence[Pending]:
        """Have a newcomer load what the others have, as far as it would get the same."""
        lacks = [part for part in self._parts.loaded() if part.number not in worker.has]
        return [worker.begin_load(part) for part in lacks if part.is_unchanged()]

    def _begin(self, part: Part) -> list[Pending]:
        with self._workers.lock:
            lack = [worker for worker in self._workers.members if part.number not in worker.has]
            return [worker.begin_load(part) for worker in (lack if self._at_once else lack[:1])]

    def _finish(self, part: Part, asked: list[Pending]) -> None:
        """Wait for all workers, those too that have joined meanwhile."""
        refused: str | None = None
        while asked := asked or self._begin(part):
            for pending in asked:
                answer = pending.get()
                if answer is not None and "failed" in answer.head:
                    refused = answer.head["failed"]
            if refused is not None:
                raise LoadFailed(refused, part.place)
            asked = []

    def _drop(self, number: int) -> None:
        """Have the workers forget it; a garbage collection may call this anywhere, so no lock is taken."""
        self._parts.forget(number)
        for worker in self._workers.all:
            worker.has.discard(number)
            worker.readings.pop(number, None)
            worker.say("drop", number=number)
