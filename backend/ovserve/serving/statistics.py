"""What became of the requests of one version since it was loaded."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ovserve.ran import Ran
from ovserve.requests import Door, Operation
from ovserve.serving.histogram import Buckets, Histogram

# Each takes a few hundred bytes for good, and a client chooses them.
_MOST_BATCH_SIZES = 1024


@dataclass(frozen=True, slots=True)
class Duration:
    """How often something happened, and how long all of it took together."""

    count: int = 0
    ns: int = 0


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """The executions of one batch size; so many at each stage."""

    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many requests got what they asked for, and how many an error."""

    success: int = 0
    fail: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counts at one moment, as Triton's ModelStatistics has them, and what OVMS's metrics show besides.

    `inferences` counts what was in the batches, `executions` the runs, of which one may answer several requests;
    `last_inference_ms` is since the epoch, 0 before the first. `inference` and `waiting` are the distributions of
    `compute_infer` and `queue`, `total` that of the time from a door to the model and back, by interface; `outcomes`
    include what was refused.
    """

    inferences: int
    executions: int
    last_inference_ms: int
    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    batches: Mapping[int, BatchTimes]
    inference: Buckets
    waiting: Buckets
    total: Mapping[str, Buckets]
    outcomes: Mapping[tuple[Door, Operation], Outcomes]


class Statistics:
    """Counts, from any thread. A reload makes a new version, which counts from nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew: what a warm-up did is no request."""
        with self._lock:
            self._inferences = self._last_ms = 0
            self._fails = self._fail_ns = 0
            self._whole_ns = self._queue_ns = 0
            self._compute: dict[int, list[int]] = {}  # by batch size: runs, and ns of input, infer, output
            self._joined = [0, 0, 0, 0]  # the same of requests that ran along with others
            self._inference = Histogram()
            self._waiting = Histogram()
            self._total: dict[str, Histogram] = {}
            self._outcomes: dict[tuple[Door, Operation], list[int]] = {}

    def succeed(self, whole_ns: int, ran: Ran, batch_size: int = 1) -> None:
        """Count a request that was answered; what it did not run it was waiting."""
        queue_ns = whole_ns - ran.input_ns - ran.infer_ns - ran.output_ns
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            self._inferences += batch_size
            self._last_ms = now_ms
            self._whole_ns += whole_ns
            self._queue_ns += queue_ns
            if ran.executed is None:
                times = self._compute.get(batch_size) or self._times(batch_size)
            else:
                times = self._times(ran.executed) if ran.executed else self._joined
            times[0] += 1
            times[1] += ran.input_ns
            times[2] += ran.infer_ns
            times[3] += ran.output_ns
            self._inference.add(ran.infer_ns)
            self._waiting.add(queue_ns)

    def _times(self, batch_size: int) -> list[int]:
        """Find the times of a new batch size; of too many, the last ones go together."""
        if len(self._compute) >= _MOST_BATCH_SIZES:
            batch_size = next(reversed(self._compute))
        return self._compute.setdefault(batch_size, [0, 0, 0, 0])

    def fail(self, whole_ns: int) -> None:
        """Count a request that the model failed on; one that was refused is not counted here."""
        with self._lock:
            self._fails += 1
            self._fail_ns += whole_ns

    def answer(self, door: Door, operation: Operation, whole_ns: int, *, good: bool) -> None:
        """Count what came through a door, whatever became of it."""
        with self._lock:
            outcomes = self._outcomes.get((door, operation)) or self._outcomes.setdefault((door, operation), [0, 0])
            outcomes[not good] += 1
            if operation is Operation.INFER and good:
                total = self._total.get(door.interface) or self._total.setdefault(door.interface, Histogram())
                total.add(whole_ns)

    @property
    def mark(self) -> tuple[int, ...]:
        """What is another whenever the counts are, and costs less to look at."""
        with self._lock:
            outcomes = sum(map(sum, self._outcomes.values()))
            return self._inferences, self._whole_ns, self._fails, self._fail_ns, outcomes

    def read(self) -> Snapshot:
        with self._lock:
            runs = sum(times[0] for times in self._compute.values())
            compute = zip(self._joined, *self._compute.values(), strict=True)
            requests, input_ns, infer_ns, output_ns = map(sum, compute)
            return Snapshot(
                inferences=self._inferences,
                executions=runs,
                last_inference_ms=self._last_ms,
                success=Duration(requests, self._whole_ns),
                fail=Duration(self._fails, self._fail_ns),
                queue=Duration(requests, self._queue_ns),
                compute_input=Duration(requests, input_ns),
                compute_infer=Duration(requests, infer_ns),
                compute_output=Duration(requests, output_ns),
                batches={size: _batch(*times) for size, times in sorted(self._compute.items())},
                inference=self._inference.read(),
                waiting=self._waiting.read(),
                total={interface: histogram.read() for interface, histogram in self._total.items()},
                outcomes={key: Outcomes(*counts) for key, counts in self._outcomes.items()},
            )


def _batch(runs: int, input_ns: int, infer_ns: int, output_ns: int) -> BatchTimes:
    return BatchTimes(Duration(runs, input_ns), Duration(runs, infer_ns), Duration(runs, output_ns))
