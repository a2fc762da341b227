"""Statistics of processing times, and the lines OVMS's clients print of them. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def speed_fps(time_ms: float, batch: int) -> float:
    """Pictures per second; infinite where the clock saw no time pass."""
    return 1000 * batch / time_ms if time_ms > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one list of times, for requests of `batch` pictures each; deviation and variance are the population's."""

    batch: int
    average_ms: float
    median_ms: float
    max_ms: float
    min_ms: float
    percentile_90_ms: float
    percentile_50_ms: float
    standard_deviation: float
    variance: float

    @classmethod
    def of(cls, times_ms: Sequence[float], batch: int) -> "Statistics":
        """Fractions of a millisecond count; there must be at least one time."""
        times = np.asarray(times_ms, dtype=np.float64)
        p90, p50 = (float(np.percentile(times, q)) for q in (90, 50))
        extremes = float(times.max()), float(times.min())
        return cls(batch, float(times.mean()), p50, *extremes, p90, p50, float(times.std()), float(times.var()))

    def lines(self) -> list[str]:
        return [
            "processing time for all iterations",
            self._line("average time", self.average_ms, "average speed"),
            self._line("median time", self.median_ms, "median speed"),
            self._line("max time", self.max_ms, "min speed"),
            self._line("min time", self.min_ms, "max speed"),
            self._line("time percentile 90", self.percentile_90_ms, "speed percentile 90"),
            self._line("time percentile 50", self.percentile_50_ms, "speed percentile 50"),
            f"time standard deviation: {self.standard_deviation:.2f}",
            f"time variance: {self.variance:.2f}",
        ]

    def as_json(self) -> dict[str, float | None]:
        """The same figures for machines; an infinite speed is null."""
        average_fps = speed_fps(self.average_ms, self.batch)
        return {
            "average_ms": self.average_ms,
            "median_ms": self.median_ms,
            "max_ms": self.max_ms,
            "min_ms": self.min_ms,
            "percentile_90_ms": self.percentile_90_ms,
            "percentile_50_ms": self.percentile_50_ms,
            "standard_deviation": self.standard_deviation,
            "variance": self.variance,
            "average_fps": average_fps if math.isfinite(average_fps) else None,
        }

    def _line(self, time: str, time_ms: float, speed: str) -> str:
        return f"{time}: {time_ms:.2f} ms; {speed}: {speed_fps(time_ms, self.batch):.2f} fps"
