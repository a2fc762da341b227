from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ovclient._types import ModelIndex
from ovclient.cli.models_changes import Change
from ovclient.cli.models_report import line
from ovclient.cli.models_table import COLUMNS, cells

_STYLES = {"READY": "green", "LOADING": "yellow", "UNLOADING": "yellow", "UNAVAILABLE": "red", None: "dim", "": "dim"}


def print_table(index: Sequence[ModelIndex], console: Console | None = None) -> None:
    (console or Console(highlight=False)).print(_table(index))


class TerminalReport:
    """The table as it is now, and above it the changes as they come; what was there at first is in the table only."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._started = False

    def look(self, time: datetime, index: Sequence[ModelIndex], changes: Sequence[Change]) -> None:
        if not self._started:
            self._live.start()
            self._started = True
        elif changes:
            for change in changes:
                self._console.print(Text(line(time, change), _STYLES.get(change.after, "")))
        else:
            return  # the same table drawn again would only flicker
        self._live.update(_table(index), refresh=True)

    def close(self) -> None:
        self._live.stop()


def _table(index: Sequence[ModelIndex]) -> Table:
    table = Table(*COLUMNS, box=SIMPLE_HEAD)
    for row in index:
        name, version, state, reason = map(Text, cells(row))  # names may hold what rich takes for markup
        state.stylize(_STYLES.get(row.state, ""))
        table.add_row(name, version, state, reason)
    return table
