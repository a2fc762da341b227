"""`--help` of both commands: kept texts that say what the command line says, printed without what they describe."""

import os
import subprocess
import sys

import pytest

from help_texts import rendered

HEAVY = {"openvino", "tritonclient", "grpc", "cyclopts", "numpy", "pydantic"}
COMMANDS = ("ovserve", "ovclient")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run([sys.executable, *command], env=settings, capture_output=True, text=True, check=True)


def test_kept_texts_are_what_the_command_line_says() -> None:
    old = [str(path) for path, text in rendered() if path.read_text(encoding="utf-8") != text]
    assert old == [], "write them anew: python tests/help_texts.py"


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_of_what_it_describes(command: str, flag: str) -> None:
    done = run("-X", "importtime", "-m", command, flag)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.stdout.startswith(f"Usage: {command} ")
    assert imported & HEAVY == set()


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("119", 80), ("120", 120), ("300", 120), ("60", 60)])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_as_wide_as_fits(command: str, columns: str, widest: int) -> None:
    lines = run("-m", command, "--help", COLUMNS=columns).stdout.splitlines()
    assert max(map(len, lines)) == widest


@pytest.mark.parametrize("command", COMMANDS)
def test_help_can_be_read_where_there_is_no_utf_8(command: str) -> None:
    done = run("-m", command, "--help", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert f"Usage: {command}" in done.stdout
