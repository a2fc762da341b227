"""A copy of the checkout, as a clone would have it."""

import shutil
import subprocess
from pathlib import Path

from readme import CHECKOUT


def copy_of_the_checkout(target: Path) -> Path:
    """Copy what a clone would have, and what is about to be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:  # an unpacked archive: everything is the project's
        return Path(shutil.copytree(CHECKOUT, target, ignore=shutil.ignore_patterns(".venv", "__pycache__")))
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, target / name)
    return target
