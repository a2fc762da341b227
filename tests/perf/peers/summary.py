"""From raw slices to the figures of the tables. Pure.

A ratio is taken cycle by cycle, of slices measured close to each other, and then its median and quartiles.
"""

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ovserve.bench.summary import Spread, spread, transport_bound
from peers import contestants as who
from peers.records import Comparison, Slice

Figure = Callable[[Slice], float]


@dataclass(frozen=True)
class Line:
    """One contestant. `of_limit_by_cpu` is the limit's CPU per request by that of server and clients together.

    That is the part of the limit's requests/s that a machine without idle time could give, whatever else it does now.
    """

    by: str
    rate: Spread
    of_limit: Spread
    of_limit_by_cpu: Spread
    ours_by_its: Spread
    cpu_us: Spread
    cpu_ours_by_its: Spread
    p50_ms: float | None
    p99_ms: float | None
    errors: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """One model. `bound` is what the transport leaves of the limit, `of_bound` ovserve's part of that.

    `of_unary` are the requests/s of a stream by those of single calls, where a stream was measured.
    """

    comparison: Comparison
    lines: dict[str, Line]
    bound: Spread
    of_bound: Spread
    of_unary: Spread | None


def summarize(comparison: Comparison) -> Summary:
    cycles = _by_contestant(comparison)
    bounds = {
        cycle: transport_bound(limit.cpu_us, echo.cpu_us + echo.client_cpu_us)
        for cycle, limit in cycles[who.LIMIT].items()
        for echo in [cycles[who.ECHO][cycle]]
    }
    shares = {
        cycle: cycles[who.OURS][cycle].requests_per_s / limit.requests_per_s
        for cycle, limit in cycles[who.LIMIT].items()
    }
    return Summary(
        comparison=comparison,
        lines={by: _line(by, cycles) for by in cycles},
        bound=spread(list(bounds.values())),
        of_bound=spread([shares[cycle] / bound for cycle, bound in bounds.items()]),
        of_unary=_of_unary(cycles),
    )


def _by_contestant(comparison: Comparison) -> dict[str, dict[int, Slice]]:
    found: dict[str, dict[int, Slice]] = {}
    for one in comparison.slices:
        found.setdefault(one.by, {})[one.cycle] = one
    order = (who.LIMIT, who.ECHO, who.OURS, who.SHARED_MEMORY, who.STREAM, *who.PEERS)
    return {by: found[by] for by in order if by in found}


def _of_unary(cycles: dict[str, dict[int, Slice]]) -> Spread | None:
    streamed = cycles.get(who.STREAM)
    if streamed is None:
        return None
    return spread([_rate(one) / _rate(cycles[who.OURS][cycle]) for cycle, one in streamed.items()])


def _line(by: str, cycles: dict[str, dict[int, Slice]]) -> Line:
    its = cycles[by]

    def ratio(one: str, other: str, figure: Figure) -> Spread:
        return spread([figure(cycles[one][cycle]) / figure(cycles[other][cycle]) for cycle in its])

    errors: Counter[str] = Counter()
    for one in its.values():
        errors.update(one.errors)
    return Line(
        by=by,
        rate=spread([one.requests_per_s for one in its.values()]),
        of_limit=ratio(by, who.LIMIT, _rate),
        of_limit_by_cpu=spread([_cpu(cycles[who.LIMIT][cycle]) / _all_cpu(one) for cycle, one in its.items()]),
        ours_by_its=ratio(who.OURS, by, _rate),
        cpu_us=spread([one.cpu_us for one in its.values()]),
        cpu_ours_by_its=ratio(who.OURS, by, _cpu),
        p50_ms=_median([one.p50_ms for one in its.values()]),
        p99_ms=_median([one.p99_ms for one in its.values()]),
        errors=dict(errors),
    )


def _rate(one: Slice) -> float:
    return one.requests_per_s


def _cpu(one: Slice) -> float:
    return max(one.cpu_us, 1e-3)  # a slice so short that the clock did not move


def _all_cpu(one: Slice) -> float:
    return _cpu(one) + one.client_cpu_us


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
