import time

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ovclient.bench.level import Level
from ovclient.cli.bench_report import COLUMNS, Header, cells, error_lines, header_lines

_NARROW = {"concurrency": "con-\ncurrency", "requests/s": "requests\n/s", "processes": "pro-\ncesses"}


class TerminalReport:
    """A progress bar while the levels last, then their table.

    The bar is drawn on each tick only: drawing more often would take CPU from what is measured.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._levels: list[Level] = []
        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=self._console, transient=True, auto_refresh=False)

    def start(self, header: Header) -> None:
        self._console.print("\n".join(header_lines(header)), markup=False)
        self._level_s = header.warm_up_s + header.duration_s
        self._task = self._progress.add_task("Starting", total=self._level_s * len(header.levels))
        self._progress.start()

    def begin(self, concurrency: int) -> None:
        self._begin_s = time.monotonic()
        self._progress.update(self._task, description=f"Concurrency {concurrency}", refresh=True)

    def tick(self) -> None:
        within_s = min(self._level_s, time.monotonic() - self._begin_s)
        done_s = len(self._levels) * self._level_s + within_s
        self._progress.update(self._task, completed=done_s, refresh=True)

    def level(self, level: Level) -> None:
        self._levels.append(level)

    def end(self) -> None:
        self._progress.stop()
        if self._levels:
            table = Table(box=SIMPLE_HEAD, padding=0)  # fits into 80 columns
            for name in COLUMNS:
                table.add_column(_NARROW.get(name, name.strip().replace(" ", "\n")), justify="right")
            for level in self._levels:
                table.add_row(*cells(level))
            self._console.print(table)
        for line in (line for level in self._levels for line in error_lines(level)):
            self._console.print(line, markup=False, style="red")

    def close(self) -> None:
        self._progress.stop()
