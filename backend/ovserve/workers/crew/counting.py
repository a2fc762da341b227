"""The counts of all processes together, those too of workers that have died, as far as they had told them."""

import threading
import time
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ovserve.dataplane import Totals
from ovserve.observability.exposition import Family, Sample
from ovserve.processes.channel import Frame
from ovserve.security.refusals import Refusal, Refusals
from ovserve.serving import readings
from ovserve.serving.own_metrics import OwnMetrics
from ovserve.serving.readings import Reading
from ovserve.serving.servable import Servable
from ovserve.workers.crew.parts import Parts
from ovserve.workers.crew.worker import Worker
from ovserve.workers.crew.workers import Workers
from ovserve.workers.letters import values

_ANSWER_S = 2.0  # what a worker has told before is good enough after that


class Counting:
    """Asks the workers when it is asked; `refusals` and `own` are of this process."""

    def __init__(
        self,
        workers: Workers,
        parts: Parts,
        refusals: Refusals | None,
        own: OwnMetrics,
    ) -> None:
        self._workers = workers
        self._parts = parts
        self._refusals = refusals
        self._own = own
        self._lock = threading.Lock()
        self._kept: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._gone_readings: dict[int, Reading] = {}
        self._gone_refusals: Counter[Refusal] = Counter()
        self._gone_totals = Totals(0, 0)
        self._gone_own: list[Family] = []

    def take(self, worker: Worker, frame: Frame) -> None:
        worker.count(values.read(frame.head["counts"]))

    def left(self, worker: Worker) -> None:
        """Keep what it has told."""
        with self._lock:
            if worker in self._kept:
                return
            self._kept.add(worker)
            for number, reading in worker.readings.items():
                kept = Reading(reading.counts)  # which now has nothing in flight, nor slots
                before = self._gone_readings.get(number)
                self._gone_readings[number] = kept if before is None else readings.total([before, kept])
            self._gone_refusals.update(worker.counts.refusals)
            gone, more = self._gone_totals, worker.counts
            self._gone_totals = Totals(gone.accepted + more.accepted, gone.answered + more.answered)
            lasting = [family for family in worker.counts.own if family.kind != "gauge"]
            self._gone_own = _summed([*self._gone_own, *lasting])

    def reading(self) -> readings.Read:
        """Ask all, and make what reads a version."""
        self._ask()
        with self._lock:
            workers = self._present()
            self._gone_readings = {
                number: reading for number, reading in self._gone_readings.items() if self._parts.find(number)
            }
            gone = dict(self._gone_readings)

        def read(servable: Servable) -> Reading:
            number = self._parts.number_of(servable)
            told = [*(worker.readings.get(number) for worker in workers), gone.get(number)]
            return readings.total([readings.read(servable), *(each for each in told if each is not None)])

        return read

    def refusals(self) -> Mapping[Refusal, int] | None:
        """Count as of the last reading; None where there are no keys."""
        if self._refusals is None:
            return None
        counts = Counter(self._refusals.read())
        with self._lock:
            counts.update(self._gone_refusals)
            for worker in self._present():
                counts.update(worker.counts.refusals)
        return counts

    def own(self) -> Sequence[Family]:
        """Add up the models' own metrics, gauges too, as of the last reading."""
        with self._lock:
            gone = self._gone_own
            there = [family for worker in self._present() for family in worker.counts.own]
        here = [*self._own.families(), *there]
        names = {family.name for family in here}
        return _summed([*here, *(family for family in gone if family.name in names)])

    def totals(self, here: Totals) -> Totals:
        """Add the requests that workers let in and answered to those of this process."""
        with self._lock:
            gone = self._gone_totals
            counts = [worker.counts for worker in self._present()]
        accepted = here.accepted + gone.accepted + sum(each.accepted for each in counts)
        return Totals(accepted, here.answered + gone.answered + sum(each.answered for each in counts))

    def _present(self) -> list[Worker]:
        """List those whose counts are not kept for them, the lock held: each is one or the other."""
        return [worker for worker in self._workers.members if worker not in self._kept]

    def _ask(self) -> None:
        asked = [worker.begin("count") for worker in self._workers.members]
        until_s = time.monotonic() + _ANSWER_S
        for pending in asked:
            pending.get(max(0.0, until_s - time.monotonic()))


def _summed(families: Sequence[Family]) -> list[Family]:
    """Make one family of each name, and one sample of each of its labels."""
    found: dict[str, Family] = {}
    sums: dict[str, dict[tuple[object, ...], Sample]] = {}
    for family in families:
        first = found.setdefault(family.name, family)
        if first.kind != family.kind:
            continue
        samples = sums.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.suffix, *sample.labels.items())
            before = samples.get(key)
            samples[key] = sample if before is None else replace(before, value=before.value + sample.value)
    return [replace(found[name], samples=list(samples.values())) for name, samples in sorted(sums.items())]
