"""The text of `ovclient --help`, kept: numpy and gRPC, which its commands need, take longer to import."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

WIDTHS = (120, 80)
FOLDER = Path(__file__).with_name("help")


def kept_help(arguments: Sequence[str]) -> str | None:
    """Give the help in the widest layout that fits, if `arguments` ask for that alone and where it goes takes UTF-8."""
    if list(arguments) not in (["--help"], ["-h"]) or (sys.stdout.encoding or "").lower() != "utf-8":
        return None
    columns = shutil.get_terminal_size().columns
    width = next((width for width in WIDTHS if width <= columns), None)
    return (FOLDER / f"{width}.txt").read_text(encoding="utf-8") if width else None
