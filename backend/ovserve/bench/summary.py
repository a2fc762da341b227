"""From raw slices to the figures that are printed. Pure.

A ratio is taken slice by slice, of slices measured next to each other, and then its median and quartiles.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ovserve.bench.records import Measured, Run
from ovserve.bench.schedule import Kind


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, and the quartiles around it."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Against:
    """What was served against one limit; `of_bound` is `of_limit` divided by the transport bound of the slice."""

    limit: Spread
    limit_cpu_us: Spread
    of_limit: Spread
    bound: Spread
    of_bound: Spread


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one number of clients; `matched` is the limit with no more in flight than there are clients."""

    clients: int
    limit: Against
    matched: Against | None
    echo: Spread
    served: Spread
    server_cpu_us: Spread
    client_cpu_us: Spread
    echo_cpu_us: Spread
    p50_ms: float | None
    p99_ms: float | None
    errors: dict[str, int]


def summarize(run: Run) -> list[Summary]:
    """Compute the figures of each number of clients, in the order of the numbers."""
    return [_summary(count, run.measured) for count in sorted({row.clients for row in run.measured})]


def spread(values: Sequence[float]) -> Spread:
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def transport_bound(limit_cpu_us: float, transport_cpu_us: float) -> float:
    """Compute the part of a fully used machine that is left for inference."""
    return limit_cpu_us / (limit_cpu_us + transport_cpu_us)


def _summary(clients: int, measured: Sequence[Measured]) -> Summary:
    rows = {(row.kind, row.index): row for row in measured if row.clients == clients}

    def of(kind: Kind, figure: Callable[[Measured], float]) -> Spread:
        return spread([figure(row) for (its_kind, _), row in rows.items() if its_kind == kind])

    served = [row for (kind, _), row in rows.items() if kind == "served"]
    has_matched = any(kind == "matched" for kind, _ in rows)
    return Summary(
        clients=clients,
        limit=_against("limit", rows),
        matched=_against("matched", rows) if has_matched else None,
        echo=of("echo", lambda row: row.requests_per_s),
        served=of("served", lambda row: row.requests_per_s),
        server_cpu_us=of("served", lambda row: row.cpu_us),
        client_cpu_us=of("served", lambda row: row.client_cpu_us),
        echo_cpu_us=of("echo", lambda row: row.cpu_us + row.client_cpu_us),
        p50_ms=_median([row.p50_ms for row in served]),
        p99_ms=_median([row.p99_ms for row in served]),
        errors=_errors(list(rows.values())),
    )


def _against(kind: Kind, rows: dict[tuple[Kind, int], Measured]) -> Against:
    limits = {index: row for (its_kind, index), row in rows.items() if its_kind == kind}
    bounds: list[float] = []
    shares: list[float] = []
    for index, limit in limits.items():
        echo, served = rows["echo", index], rows["served", index]
        bounds.append(transport_bound(limit.cpu_us, echo.cpu_us + echo.client_cpu_us))
        shares.append(served.requests_per_s / limit.requests_per_s)
    return Against(
        limit=spread([row.requests_per_s for row in limits.values()]),
        limit_cpu_us=spread([row.cpu_us for row in limits.values()]),
        of_limit=spread(shares),
        bound=spread(bounds),
        of_bound=spread([share / bound for share, bound in zip(shares, bounds, strict=True)]),
    )


def _median(values: Sequence[float | None]) -> float | None:
    """Compute the median of what there is: a slice without an answer has no times."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _errors(rows: Sequence[Measured]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for row in rows:
        for error, count in row.errors.items():
            total[f"{row.kind}: {error}"] += count
    return dict(total)
