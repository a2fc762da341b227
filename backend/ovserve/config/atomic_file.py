"""A file that is replaced as a whole: who reads it, reads the old text or the new one."""

import os
import shutil
from pathlib import Path


def replace_text(file: Path, text: str) -> None:
    """Write a new file beside `file`, with its permissions, and rename it; a link stays one. Raises `OSError`."""
    target = Path(os.path.realpath(file))
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with new.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, new)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
