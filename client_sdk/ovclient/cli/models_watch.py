import time
from datetime import UTC, datetime
from typing import NoReturn

from ovclient._client import Client
from ovclient._types import ModelIndex
from ovclient.cli.models_changes import changes
from ovclient.cli.models_report import Report


def run(client: Client, interval_s: float, report: Report) -> NoReturn:
    """Look at the index and tell the changes, until interrupted or the server does not answer."""
    old: tuple[ModelIndex, ...] = ()
    while True:
        new = client.repository_index()
        report.look(datetime.now(UTC).astimezone(), new, changes(old, new))
        old = new
        time.sleep(interval_s)
