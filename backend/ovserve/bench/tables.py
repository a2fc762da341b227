"""A run as people read it: plain text on a terminal, Markdown in a document. Pure."""

import statistics
from collections.abc import Callable, Iterable, Sequence

from ovserve.bench.cells import ms, rate, ratio, whole
from ovserve.bench.probing import ANY
from ovserve.bench.records import Run, Setup
from ovserve.bench.summary import Against, Summary, summarize

Row = tuple[str, Callable[[Summary], str]]


def text(run: Run) -> str:
    """Write a whole run: where, what, and a column per number of clients."""
    summaries = summarize(run)
    table = [["clients", *(str(summary.clients) for summary in summaries)]]
    table += [[label, *(cell(summary) for summary in summaries)] for label, cell in _rows(summaries)]
    lines = [*_heading(run), "", *_aligned(table), *_remarks(run, summaries)]
    return "\n".join(lines)


def markdown(runs: Iterable[Run]) -> str:
    """Write a table with a line per model and number of clients."""
    head = (
        "model",
        "clients",
        "limit, requests/s",
        "served, requests/s",
        "served/limit",
        "served/bound",
        "served/matched bound",
        "server CPU, us per request",
        "client CPU, us per request",
        "p50 / p99, ms",
    )
    lines = [_line(head), _line(["---"] * len(head))]
    for run in runs:
        lines += [_line(_cells(run, summary)) for summary in summarize(run)]
    return "\n".join(lines)


def _cells(run: Run, one: Summary) -> list[str]:
    settings = ", ".join(f"{key} {value}" for key, value in run.subject.plugin_config.items())
    return [
        f"{run.subject.name}, {settings}" if settings else run.subject.name,
        str(one.clients),
        rate(one.limit.limit),
        rate(one.served),
        ratio(one.limit.of_limit),
        ratio(one.limit.of_bound),
        _matched(one, lambda it: ratio(it.of_bound)),
        whole(one.server_cpu_us),
        whole(one.client_cpu_us),
        f"{ms(one.p50_ms)} / {ms(one.p99_ms)}",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(run: Run) -> list[str]:
    subject, versions = run.subject, run.machine.versions
    served = f"device {subject.target_device}, plugin_config {subject.plugin_config or '{}'}, nireq {subject.nireq}"
    return [
        f"{subject.name}: {subject.message_bytes} bytes per request; {served}",
        f"{run.machine.cores} cores of {run.machine.cpu}; {', '.join(f'{k} {v}' for k, v in versions.items())}",
        f"limit: {_setup(run.limits[ANY])}",
        f"{run.slices} slices of {run.seconds:g} s each in turn; medians (and quartiles), ratios slice by slice",
    ]


def _setup(setup: Setup) -> str:
    return f"{setup.config} with {setup.in_flight} in flight"


def _rows(summaries: Sequence[Summary]) -> list[Row]:
    rows: list[Row] = [
        ("limit, requests/s", lambda one: rate(one.limit.limit)),
        ("echo, requests/s", lambda one: rate(one.echo)),
        ("served, requests/s", lambda one: rate(one.served)),
        ("served/limit", lambda one: ratio(one.limit.of_limit)),
        ("transport bound", lambda one: ratio(one.limit.bound)),
        ("served/bound", lambda one: ratio(one.limit.of_bound)),
    ]
    if any(one.matched for one in summaries):
        rows += [
            ("matched limit, requests/s", lambda one: _matched(one, lambda it: rate(it.limit))),
            ("served/matched limit", lambda one: _matched(one, lambda it: ratio(it.of_limit))),
            ("served/matched bound", lambda one: _matched(one, lambda it: ratio(it.of_bound))),
        ]
    return [
        *rows,
        ("limit CPU, us/request", lambda one: whole(one.limit.limit_cpu_us)),
        ("echo and client CPU, us/request", lambda one: whole(one.echo_cpu_us)),
        ("server CPU, us/request", lambda one: whole(one.server_cpu_us)),
        ("client CPU, us/request", lambda one: whole(one.client_cpu_us)),
        ("p50, ms", lambda one: ms(one.p50_ms)),
        ("p99, ms", lambda one: ms(one.p99_ms)),
    ]


def _matched(one: Summary, cell: Callable[[Against], str]) -> str:
    return cell(one.matched) if one.matched else "-"


def _remarks(run: Run, summaries: Sequence[Summary]) -> list[str]:
    lines = []
    for one in summaries:
        if one.matched:
            setup = _setup(run.limits[one.clients])
            lines.append(f"matched limit for {one.clients}: the best with no more in flight than clients: {setup}")
    for one in summaries:
        lines += [f"ERRORS, clients {one.clients}, {error}: {count}" for error, count in one.errors.items()]
    others = [row.others_cpu for row in run.measured]
    lines.append(
        f"others took {statistics.median(others):.0%} of the machine (median of slices; most {max(others):.0%})"
    )
    return ["", *lines]


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]
