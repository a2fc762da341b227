"""The texts of `--help` that the packages keep; as a command, writes them anew: `python tests/help_texts.py`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ovclient.cli.kept_help import FOLDER as OVCLIENT
from ovserve.kept_help import FOLDER as OVSERVE
from ovserve.kept_help import WIDTHS

RENDERED = {
    OVSERVE: "from ovserve.cli import cli; cli(['--help'])",
    OVCLIENT: "from ovclient.cli.app import app; app(['--help'])",
}


def rendered() -> Iterator[tuple[Path, str]]:
    """Each kept file, and what the command line itself says now."""
    for folder, code in RENDERED.items():
        for width in WIDTHS:
            environment = {**os.environ, "COLUMNS": str(width), "PYTHONIOENCODING": "utf-8"}
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
            yield folder / f"{width}.txt", done.stdout.decode()


if __name__ == "__main__":
    for path, text in rendered():
        path.write_text(text, encoding="utf-8")
