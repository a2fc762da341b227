"""What one client of a closed loop does, and what it notes."""

import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from ovclient._errors import ClientClosed, OVClientError
from ovclient.bench.raw_client import Finished, RawClient

PAUSE_AFTER_FAILURE_S = 0.01  # or clients of a dead server would only measure how fast it refuses


class Window:
    """The time in which clients send; may be closed before its end, from another thread."""

    def __init__(self, begin_ns: int, seconds: float) -> None:
        self.begin_ns = begin_ns
        self.until_ns = begin_ns + round(seconds * 1e9)
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        self.until_ns = 0

    def await_begin(self) -> None:
        time.sleep(max(0, self.begin_ns - time.perf_counter_ns()) / 1e9)


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed requests of one gRPC status, and what the first of them said."""

    count: int
    message: str


@dataclass(slots=True)
class Tally:
    """Answered requests by how long each took, and failed ones by status."""

    latencies_ns: "array[int]" = field(default_factory=lambda: array("q"))
    errors: dict[str, Failures] = field(default_factory=dict)
    end_ns: int = 0

    def fail(self, status: str, message: str, count: int = 1) -> None:
        known = self.errors.get(status, Failures(0, message))
        self.errors[status] = Failures(known.count + count, known.message)

    @classmethod
    def total(cls, tallies: Iterable["Tally"]) -> "Tally":
        total = cls()
        for tally in tallies:
            total.latencies_ns.extend(tally.latencies_ns)
            total.end_ns = max(total.end_ns, tally.end_ns)
            for status, failures in tally.errors.items():
                total.fail(status, failures.message, failures.count)
        return total


def closed_loop(client: RawClient, request: Finished, window: Window) -> Tally:
    """Send, wait for the answer, send again until the window closes; what was sent is waited for, and once is least."""
    ask, now_ns, tally = client.asker(request), time.perf_counter_ns, Tally()
    note = tally.latencies_ns.append
    window.await_begin()
    begin_ns = now_ns()
    while True:
        try:
            ask()
        except OVClientError as failure:
            if window.stopped:  # the window's end cut this request off
                return tally
            if isinstance(failure, ClientClosed):
                raise
            tally.end_ns = now_ns()
            tally.fail(failure.code.name if failure.code else type(failure).__name__, str(failure))
            time.sleep(PAUSE_AFTER_FAILURE_S)
            begin_ns = now_ns()
        else:
            end_ns = now_ns()
            note(end_ns - begin_ns)
            tally.end_ns = begin_ns = end_ns
        if begin_ns >= window.until_ns:
            return tally
