"""The Python models of tests/triton/python_repository, which run in a real Triton and in ovserve unchanged."""

import shutil
from pathlib import Path

SOURCE = Path(__file__).parent / "triton/python_repository"


def lay_out(root: Path) -> Path:
    """Copy them; an ensemble has a version too, which holds nothing."""
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("__pycache__"))
    for config in root.glob("*/config.pbtxt"):
        (config.parent / "1").mkdir(exist_ok=True)
    return root
