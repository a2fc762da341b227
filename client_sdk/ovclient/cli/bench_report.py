from dataclasses import dataclass
from typing import Any, Protocol

from ovclient.bench.level import Level
from ovclient.cli.document import print_json


@dataclass(frozen=True, slots=True)
class Header:
    """What is asked of which server; `inputs` are datatype and shape by name."""

    model: str
    version: str
    address: str
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    message_bytes: int
    levels: tuple[int, ...]
    warm_up_s: float
    duration_s: float


class Report(Protocol):
    """Where a benchmark is told: as lines, as a table on a terminal, or as JSON."""

    def start(self, header: Header) -> None: ...
    def begin(self, concurrency: int) -> None:
        """The clients of a level begin to send."""

    def tick(self) -> None:
        """Some time has passed."""

    def level(self, level: Level) -> None: ...
    def end(self) -> None: ...
    def close(self) -> None:
        """Leave the terminal in order, also when the benchmark failed."""


class TextReport:
    """Aligned columns, a line as soon as its level is done."""

    def start(self, header: Header) -> None:
        self._levels: list[Level] = []
        print(*header_lines(header), sep="\n", end="\n\n")

    def begin(self, concurrency: int) -> None:
        pass

    def tick(self) -> None:
        pass

    def level(self, level: Level) -> None:
        if not self._levels:
            print("  ".join(COLUMNS))
        self._levels.append(level)
        print("  ".join(cell.rjust(len(name)) for name, cell in zip(COLUMNS, cells(level), strict=True)), flush=True)

    def end(self) -> None:
        lines = [line for level in self._levels for line in error_lines(level)]
        if lines:
            print("", *lines, sep="\n")

    def close(self) -> None:
        pass


class JsonReport:
    """One strict JSON document at the end; `ovserve bench` reads it."""

    def start(self, header: Header) -> None:
        self._header = header
        self._levels: list[Level] = []

    def begin(self, concurrency: int) -> None:
        pass

    def tick(self) -> None:
        pass

    def level(self, level: Level) -> None:
        self._levels.append(level)

    def end(self) -> None:
        header = self._header
        inputs = {name: {"datatype": datatype, "shape": shape} for name, (datatype, shape) in header.inputs.items()}
        document: dict[str, Any] = {
            "model": header.model,
            "version": header.version,
            "address": header.address,
            "inputs": inputs,
            "message_bytes": header.message_bytes,
            "levels": [level.as_json() for level in self._levels],
        }
        print_json(document)

    def close(self) -> None:
        pass


COLUMNS = (
    "concurrency",
    "requests",
    "requests/s",
    " mean ms",
    "  p50 ms",
    "  p90 ms",
    "  p99 ms",
    "CPU us/request",
    "processes",
    "errors",
)


def header_lines(header: Header) -> list[str]:
    version = f" version {header.version}" if header.version else ""
    inputs = ", ".join(f"{name} {datatype}{list(shape)}" for name, (datatype, shape) in header.inputs.items())
    return [
        f"Model {header.model}{version} at {header.address}",
        f"Request: {inputs or 'no inputs'}; {header.message_bytes} bytes",
        f"Each level: {header.duration_s:g} s measured after {header.warm_up_s:g} s of warm-up",
    ]


def cells(level: Level) -> list[str]:
    """A level's figures under `COLUMNS`."""
    latencies = level.latencies
    times_ms = (latencies.mean_ms, latencies.p50_ms, latencies.p90_ms, latencies.p99_ms) if latencies else ()
    return [
        str(level.concurrency),
        str(level.requests),
        f"{level.requests_per_s:.1f}",
        *([f"{time_ms:.3f}" for time_ms in times_ms] or ["-"] * 4),
        f"{level.client_cpu_us_per_request:.0f}",
        str(level.processes),
        str(sum(failures.count for failures in level.errors.values())),
    ]


def error_lines(level: Level) -> list[str]:
    return [
        f"concurrency {level.concurrency}: {failures.count} x {status}: {' '.join(failures.message.split())}"
        for status, failures in level.errors.items()
    ]
