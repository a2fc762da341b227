"""A run as pages show it, in Markdown. Pure."""

import statistics
from collections.abc import Iterator, Sequence

from ovserve.bench.cells import ms, rate, ratio, whole
from peers import contestants as who
from peers.records import Run
from peers.summary import Line, Summary, summarize

_AGAINST = (who.TRITON, who.PLUGIN, who.KSERVE, who.MLSERVER)


def short(run: Run) -> str:
    """A line per model: ovserve against the limit and against each peer."""
    head = [
        "model",
        "ovserve, requests/s",
        "of the limit",
        "of the transport bound",
        *(f"ovserve/{it}" for it in _AGAINST),
    ]
    rows = [head, ["---"] * len(head)]
    for found in map(summarize, run.comparisons):
        ours = found.lines[who.OURS]
        peers = [_against(found, peer) for peer in _AGAINST]
        rows.append([_title(found), rate(ours.rate), ratio(ours.of_limit), ratio(found.of_bound), *peers])
    return "\n".join([f"{_where(run)}:", "", *map(_row, rows)])


def full(run: Run) -> str:
    """A table per model, a line per contestant, and what was chosen and met on the way."""
    parts = [f"{_where(run)}; {_versions(run)}. Started {run.started}."]
    for found in map(summarize, run.comparisons):
        parts += ["", *_table(found), "", *_remarks(found)]
    return "\n".join(parts)


def _table(found: Summary) -> Iterator[str]:
    yield f"### {_title(found)}"
    yield ""
    head = (
        "by",
        "requests/s",
        "of the limit",
        "of the limit, by CPU",
        "ovserve/it, requests/s",
        "server CPU, us per request",
        "ovserve/it, CPU",
        "p50 / p99, ms",
    )
    yield _row(head)
    yield _row(["---"] * len(head))
    for line in found.lines.values():
        yield _row(_cells(line))


def _cells(line: Line) -> list[str]:
    return [
        line.by,
        rate(line.rate),
        ratio(line.of_limit),
        ratio(line.of_limit_by_cpu),
        ratio(line.ours_by_its),
        whole(line.cpu_us),
        ratio(line.cpu_ours_by_its),
        f"{ms(line.p50_ms)} / {ms(line.p99_ms)}",
    ]


def _remarks(found: Summary) -> list[str]:
    comparison = found.comparison
    limit = f"{comparison.limit.config} with {comparison.limit.in_flight} in flight"
    lines = [f"- {comparison.message_bytes} bytes a request. Limit: {limit}."]
    lines.append(f"- Transport bound {ratio(found.bound)} of the limit; ovserve {ratio(found.of_bound)} of the bound.")
    if found.of_unary is not None:
        lines.append(
            f"- {who.STREAM}: {comparison.stream_in_flight} requests in flight on one ModelStreamInfer stream; its "
            f"requests/s by those of ovserve's single calls {ratio(found.of_unary)}."
        )
    for peer, trial in comparison.trials.items():
        tried = ", ".join(f"{way} {statistics.median(found):.1f}" for way, found in trial.requests_per_s.items())
        lines.append(f"- {peer}: {trial.chosen}" + (f" (tried, requests/s: {tried})" if ", " in tried else ""))
    lines += [f"- {peer} is left out: {' '.join(said.split())}" for peer, said in comparison.left_out.items()]
    for line in found.lines.values():
        lines += [f"- ERRORS, {line.by}: {status}: {count}" for status, count in line.errors.items()]
    others = [one.others_cpu for one in comparison.slices]
    lines.append(
        f"- Other processes took {statistics.median(others):.0%} of the machine (median of slices; most "
        f"{max(others):.0%})."
    )
    return lines


def _against(found: Summary, peer: str) -> str:
    return ratio(found.lines[peer].ours_by_its) if peer in found.lines else "-"


def _title(found: Summary) -> str:
    return f"{found.comparison.title}; {found.comparison.clients} clients"


def _where(run: Run) -> str:
    return (
        f"{run.machine.cores} cores of {run.machine.cpu}, {run.machine.system}, shared with the clients; medians (and "
        f"quartiles) of {run.cycles} cycles with slices of {run.seconds:g} s"
    )


def _versions(run: Run) -> str:
    return ", ".join(f"{name} {version}" for name, version in {**run.machine.versions, **run.peers}.items())


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
