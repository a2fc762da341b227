"""All that `--grpc_workers` adds to the server's own process."""

import sys
from collections.abc import Mapping, Sequence

from ovserve.config.settings import Settings
from ovserve.engine.core_budget import CoreBudget
from ovserve.observability import logs
from ovserve.observability.logs import get_logger
from ovserve.processes.channel import Frame
from ovserve.security.refusals import Refusals
from ovserve.seeing.tracing import Tracer
from ovserve.serving.loads import LoadVersion
from ovserve.serving.own_metrics import OwnMetrics
from ovserve.serving.registry import Registry
from ovserve.workers.crew.calls import Calls
from ovserve.workers.crew.connections import Connections
from ovserve.workers.crew.counting import Counting
from ovserve.workers.crew.loading import LoadPart, LoadsEverywhere
from ovserve.workers.crew.parts import Parts
from ovserve.workers.crew.told import Told
from ovserve.workers.crew.worker import Worker
from ovserve.workers.crew.workers import Take, Workers
from ovserve.workers.letters import values
from ovserve.workers.letters.conversation import Head, Pending

_LAST_WORDS_S = 5.0

logger = get_logger("ovserve.workers")


class GrpcWorkers:
    """The server itself is the first worker; `budgets` are those of the others."""

    def __init__(
        self,
        settings: Settings,
        budgets: Sequence[CoreBudget],
        refusals: Refusals | None,
        own: OwnMetrics,
    ) -> None:
        self._settings = settings
        self._budgets = budgets
        self._parts = Parts()
        self.workers = Workers(self)
        self.told = Told(self.workers, self._parts)
        self.registry = Registry(self.told.entry)
        self.tracer = Tracer(self.told.traces)
        self.counting = Counting(self.workers, self._parts, refusals, own)
        self.calls = Calls(self._parts, self.registry)
        self._loads: LoadsEverywhere | None = None
        self.connections = Connections(settings.grpc_max_connections)
        self._takes = self._made_takes()

    def loading(self, load: LoadPart) -> LoadVersion:
        """Have what `load` loads here loaded by all."""
        self._loads = LoadsEverywhere(load, self.workers, self._parts, at_once=self._settings.cache_dir is None)
        return self._loads if self._budgets else load

    def start(self) -> None:
        self.workers.start(len(self._budgets))

    def wait_until_all(self) -> None:
        """Wait for them to be there; raises `CannotStart`."""
        self.workers.wait_until_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait, once the phase is `closing`, for the requests in flight in all workers; tell whether they ended."""
        asked = [worker.begin("drain", timeout_s=timeout_s) for worker in self.workers.members]
        answers = [pending.get(timeout_s + _LAST_WORDS_S) for pending in asked]
        return all(answer is None or answer.head["drained"] for answer in answers)

    def stop(self, grace_s: float) -> None:
        """Have the workers end: calls in flight have `grace_s` seconds, models a few more to finalize."""
        self.workers.stop()
        asked = [worker.begin("stop", grace_s=grace_s) for worker in self.workers.members]
        for pending in asked:
            pending.get(grace_s + _LAST_WORDS_S)

    def wait(self, timeout_s: float) -> None:
        """Wait for the processes to end, and end what goes on for longer."""
        for worker in self.workers.all:
            if not worker.process.wait(timeout_s):
                logger.warning("a worker was still running and is not waited for", worker=worker.number)
                worker.process.kill()

    # What concerns workers that come and go

    def missing(self, worker: Worker) -> Sequence[Pending]:
        return () if self._loads is None else self._loads.missing(worker)

    def joins(self, worker: Worker) -> None:
        self.told.tell_newcomer(worker)

    def joined(self, worker: Worker) -> None:
        self.connections.joined(worker)

    def left(self, worker: Worker) -> None:
        self.connections.left(worker)
        self.counting.left(worker)
        self.calls.left(worker)

    def take(self, worker: Worker, frame: Frame) -> None:
        self._takes[frame.head["kind"]](worker, frame)

    def begin(self, number: int) -> Head:
        return {
            "settings": values.write(self._settings),
            "budget": values.write(self._budgets[number - 2]),
            "level": logs.level(),
            "path": sys.path,
        }

    def _made_takes(self) -> Mapping[str, Take]:
        calls = self.calls
        return {
            "infer": calls.infer,
            "rpc": calls.rpc,
            "gone": calls.gone,
            "go": calls.go,
            "is_ready": calls.is_ready,
            "counts": self.counting.take,
            "outcome": self._trace,
            "closed": lambda worker, _frame: self.connections.closed(worker),
            "emptied": lambda worker, frame: worker.let_go(frame.head["number"]),
        }

    def _trace(self, _worker: Worker, frame: Frame) -> None:
        self.tracer.trace(values.read(frame.head["outcome"]))
