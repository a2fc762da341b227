"""A virtual environment per peer, made once and kept."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_DONE = "complete"


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ovserve-peers"


@dataclass(frozen=True)
class Environment:
    """What is installed; another list of it, or another Python, is another environment."""

    name: str
    requirements: tuple[str, ...]

    def folder(self, cache: Path) -> Path:
        return cache / f"{self.name}-{fingerprint(*self.requirements)}"

    def python(self, cache: Path) -> Path:
        """Make it unless it is there; raises `CalledProcessError`, after which the next call begins anew."""
        folder = self.folder(cache)
        if not is_complete(folder):
            print(f"installing {', '.join(self.requirements)}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements]
            subprocess.run([folder / "bin/python", *install], check=True, stdout=sys.stderr)
            complete(folder)
        return folder / "bin/python"


def fingerprint(*texts: str) -> str:
    """Tell apart what was made from other texts, or by another Python."""
    return hashlib.sha256("\n".join([sys.version, *texts]).encode()).hexdigest()[:12]


def is_complete(folder: Path) -> bool:
    return (folder / _DONE).is_file()


def complete(folder: Path) -> None:
    """Say that everything is in `folder`: without this, a making that was cut short is made again."""
    (folder / _DONE).touch()


def fresh(folder: Path) -> Path:
    """An empty folder in the place of what may be left of a making that was cut short."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def same_openvino() -> str:
    """The requirement that has a peer infer with our OpenVINO."""
    return f"openvino=={version('openvino').partition('-')[0]}"
