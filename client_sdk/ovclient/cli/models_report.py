import json
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ovclient._types import ModelIndex
from ovclient.cli.models_changes import Change, sentence


class Report(Protocol):
    """Where a watch is told: as lines, as a table on a terminal, or as JSON."""

    def look(self, time: datetime, index: Sequence[ModelIndex], changes: Sequence[Change]) -> None:
        """The index at this time, and what in it changed since the last look."""

    def close(self) -> None:
        """Leave the terminal in order, also when the watch failed."""


class TextReport:
    """A line for each change."""

    def look(self, time: datetime, _index: Sequence[ModelIndex], changes: Sequence[Change]) -> None:
        for change in changes:
            print(line(time, change), flush=True)

    def close(self) -> None:
        pass


class JsonReport:
    """A JSON document on a line for each change; null is the state of what is not there."""

    def look(self, time: datetime, _index: Sequence[ModelIndex], changes: Sequence[Change]) -> None:
        for change in changes:
            document = {
                "time": time.isoformat(timespec="milliseconds"),
                "name": change.name,
                "version": change.version,
                "before": change.before,
                "state": change.after,
                "reason": change.reason,
            }
            print(json.dumps(document, ensure_ascii=False), flush=True)

    def close(self) -> None:
        pass


def line(time: datetime, change: Change) -> str:
    return f"{time:%H:%M:%S} {sentence(change)}"
