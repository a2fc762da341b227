import sys
from contextlib import closing
from typing import Annotated

from cyclopts import Parameter

from ovclient.cli.bench_flags import BenchFlags
from ovclient.cli.bench_report import JsonReport, Report, TextReport
from ovclient.cli.connection import DEFAULT, Connection

_DEFAULT_FLAGS = BenchFlags()


def bench(
    model_name: Annotated[str, Parameter(alias="-m")],
    model_version: Annotated[str, Parameter(alias="-x", show_default=False)] = "",
    *,
    flags: BenchFlags = _DEFAULT_FLAGS,
    server: Connection = DEFAULT,
) -> int:
    """Measure how fast a server answers a model, in a closed loop of concurrent clients.

    Each client has a connection of its own and sends its next request when
    the last one is answered. Inputs are random, the same in every run, in
    the shapes that the model's metadata tells, unless --shape or --input
    says otherwise.

    The request is serialised once, and every client sends these bytes.
    Answers are received but not parsed, only their status is looked at;
    one request before the first level is parsed in full. Latencies are
    those of well answered requests. After a failed request a client waits
    10 ms. The CPU per request is that of the client processes, user and
    system, in the measured time only.

    Args:
        model_name: The model or pipeline to ask.
        model_version: Its version; the one served by default if not given.
        flags: What to measure.
        server: Where the server is.
    """
    from ovclient.cli.bench_run import run  # noqa: PLC0415 - after the flags are known to be right

    with closing(_report(flags)) as report:
        run(model_name, model_version, flags, server, report)
    return 0


def _report(flags: BenchFlags) -> Report:
    if flags.json:
        return JsonReport()
    if sys.stdout.isatty():
        from ovclient.cli.bench_terminal import TerminalReport  # noqa: PLC0415 - rich is for terminals only

        return TerminalReport()
    return TextReport()
