"""Files of control groups, as the kernel shows them."""

from pathlib import Path


def write_groups(root: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Write what tells our `own` groups, and the tree of all; a name has `__` for `/` and `_dot_` for `.`."""
    for name, text in files.items():
        path = root / "groups" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (root / "own").write_text(own + "\n")
    return root / "own", root / "groups"
