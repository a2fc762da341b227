"""The command `ovclient`, run inside the test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from ovclient.cli import run


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


def against(capfd: pytest.CaptureFixture[str], place: Sequence[str]) -> Run:
    """Run `ovclient` with the arguments that are given and those that say where the server is."""

    def command(*arguments: str) -> Done:
        capfd.readouterr()
        code = run([*arguments, *place])
        return Done(code, *capfd.readouterr())

    return command
