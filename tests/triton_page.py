"""The page on Triton, whose commands set up the Triton of the tests."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from readme import CHECKOUT, blocks

PAGE = CHECKOUT / "backend/docs/triton.md"


def page(role: str) -> str:
    """The commands of one role, one after the other."""
    return "".join(block.code for block in blocks(PAGE) if block.role == role)


def run(command: str, folder: Path, **env: str) -> str:
    done = subprocess.run(
        ["bash", "-euc", command], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Home:
    """A folder in which the page's commands up to the start of the server have run, and what they printed."""

    folder: Path
    printed: str
