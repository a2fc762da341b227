"""The figures of one level. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ovclient.bench.loop import Failures, Tally
from ovclient.bench.orders import Outcome


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of the answered requests."""

    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies_ns: Sequence[int]) -> "Latencies":
        """There must be at least one; between two of them a percentile is interpolated."""
        times_ms = np.asarray(latencies_ns, np.float64) / 1e6
        p50, p90, p99 = (float(at) for at in np.percentile(times_ms, (50, 90, 99)))
        return cls(float(times_ms.mean()), p50, p90, p99)


@dataclass(frozen=True, slots=True)
class Level:
    """One number of concurrent clients: `requests` were answered well, `errors` are the others by gRPC status.

    `seconds` go from the common start to the last answer; the CPU is that of the client processes in this time,
    shared among all requests, failed ones too.
    """

    concurrency: int
    processes: int
    seconds: float
    requests: int
    errors: dict[str, Failures]
    latencies: Latencies | None
    client_cpu_us_per_request: float

    @classmethod
    def of(cls, concurrency: int, outcomes: Sequence[Outcome]) -> "Level":
        total = Tally.total(outcome.tally for outcome in outcomes)
        requests = len(total.latencies_ns)
        sent = requests + sum(failures.count for failures in total.errors.values())
        return cls(
            concurrency,
            len(outcomes),
            max(0, total.end_ns - min(outcome.begin_ns for outcome in outcomes)) / 1e9,
            requests,
            total.errors,
            Latencies.of(total.latencies_ns) if requests else None,
            1e6 * sum(outcome.cpu_s for outcome in outcomes) / max(1, sent),
        )

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds if self.seconds > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """The same for machines; without any answer the latencies are null."""
        latencies = self.latencies
        return {
            "concurrency": self.concurrency,
            "seconds": self.seconds,
            "requests": self.requests,
            "errors": {name: {"count": e.count, "message": e.message} for name, e in self.errors.items()},
            "requests_per_s": self.requests_per_s,
            "mean_ms": latencies and latencies.mean_ms,
            "p50_ms": latencies and latencies.p50_ms,
            "p90_ms": latencies and latencies.p90_ms,
            "p99_ms": latencies and latencies.p99_ms,
            "client_cpu_us_per_request": self.client_cpu_us_per_request,
            "processes": self.processes,
        }
