"""What this worker has counted, told when the server asks, and each second while there is something new."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ovserve.dataplane import Totals
from ovserve.observability.exposition import Family
from ovserve.security.refusals import Refusal
from ovserve.serving import readings
from ovserve.serving.readings import Reading
from ovserve.serving.servable import Servable
from ovserve.workers.letters import values
from ovserve.workers.letters.counts import Counts
from ovserve.workers.member.forwarded import Forwarded
from ovserve.workers.member.server_side import ServerSide

_PERIOD_S = 1.0

_Mark: TypeAlias = tuple[tuple[int, ...], int, int]


class Counter:
    """Tells only what has changed since the last time."""

    def __init__(
        self,
        server: ServerSide,
        served: Callable[[], Mapping[int, Servable]],
        totals: Callable[[], Totals],
        refusals: Callable[[], Mapping[Refusal, int]],
        own: Callable[[], Sequence[Family]],
    ) -> None:
        self._server = server
        self._served = served
        self._totals = totals
        self._refusals = refusals
        self._own = own
        self._told: dict[int, _Mark] = {}
        self._last = Counts()
        self._lock = threading.Lock()

    def tell(self) -> None:
        """Tell what the server does not know yet; from any thread."""
        with self._lock:
            served = self._served()
            now = {number: _mark(servable) for number, servable in served.items()}  # before what is read
            new = [number for number, mark in now.items() if self._told.get(number) != mark]
            changed = {number: _read(served[number]) for number in new}
            totals = self._totals()
            counts = Counts({}, totals.accepted, totals.answered, dict(self._refusals()), tuple(self._own()))
            if not changed and counts == self._last:
                return
            self._told, self._last = now, counts
            written = Counts(changed, counts.accepted, counts.answered, counts.refusals, counts.own)
            self._server.say("counts", counts=values.write(written))

    def run(self) -> None:
        """Tell each second, in a thread, until the process ends."""
        threading.Thread(target=self._run, name="counter", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_PERIOD_S):
            self.tell()


def _mark(servable: Servable) -> _Mark:
    """What is another whenever its reading is."""
    return servable.statistics.mark, servable.in_flight.count, servable.running


def _read(servable: Servable) -> Reading:
    reading = readings.read(servable)
    return Reading(reading.counts) if isinstance(servable, Forwarded) else reading
