import sys
from pathlib import Path

from ovclient import pictures
from ovclient.cli.failure import CommandFailed


def collect(paths: tuple[Path, ...], width: int, height: int) -> tuple[pictures.Picture, ...]:
    """The pictures in files and folders, in order of name, resized; what is no picture is skipped with a warning."""
    found = []
    try:
        for path in pictures.expand(paths):
            picture = pictures.read(path)
            if picture is None:
                print(f"skipped {path}: no picture that OpenCV can read", file=sys.stderr)
            else:
                found.append(picture.resized(width, height))
    except OSError as error:
        raise CommandFailed(f"cannot read {error.filename}: {error.strerror}") from error
    if not found:
        raise CommandFailed(f"no picture in {', '.join(map(str, paths))}")
    return tuple(found)
