"""`ovserve install-triton-backend`: the plug-in in its place, and whether Triton's Python can run it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ovserve.errors import CannotStart

NAMES = ("openvino_py", "openvino")
_MARK = "ovserve install-triton-backend"  # stands in our model.py
_STUB = Path("python/triton_python_backend_stub")
_LIBPYTHON = re.compile(rb"libpython(3\.\d+)")

# Runs in the Python that is asked about; it may lack everything.
_PROBE = """
import importlib.metadata as m, json, sys
def of(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
found = {name: of(name) for name in ("ovserve", "openvino", "numpy")}
try: from ovserve.frontends.triton import backend
except Exception as error: found["error"] = f"{type(error).__name__}: {error}"
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], **found}))
"""


def install(backends: Path, name: str, python: str | None) -> int:
    """Copy the plug-in into `backends`/`name`, check `python`, print both, and return the exit code: 1 if it lacks.

    Raises `CannotStart` where nothing can be copied.
    """
    target = backends / name
    _check_place(backends, target)
    try:
        target.mkdir(exist_ok=True)
        shutil.copyfile(_plugin(), target / "model.py")
    except OSError as error:
        raise CannotStart(f"{target}: {error.strerror}") from error
    print(f'Installed {target / "model.py"}: for models with backend: "{name}" in config.pbtxt', end="")
    print(", and for models with a model.xml and no config.pbtxt" if name == "openvino" else "")
    path = python or shutil.which("python3")
    if path is None:
        raise CannotStart("no python3 in PATH, which Triton's stub would run; name one with --python")
    found = _probe(path)
    versions = ", ".join(f"{package} {found[package] or 'missing'}" for package in ("ovserve", "openvino", "numpy"))
    print(f"{path}: Python {found['python']}, {versions}")
    wrong = list(_wrong(found, path, backends))
    for sentence in wrong:
        print(f"ovserve: {sentence}", file=sys.stderr)
    if not wrong and str(found["numpy"]).split(".", 1)[0] != "1":
        print("NumPy 2 needs a Triton whose stub knows it; to others models do not load, and say: install 'numpy<2'")
    return 1 if wrong else 0


def _plugin() -> Path:
    """Find the plug-in: inside an installed package, or in the checkout it was installed from."""
    package = Path(__file__).resolve().parent
    for place in (package / "triton_plugin", package.parent / "triton"):
        file = place / "openvino_py" / "model.py"
        if file.is_file():
            return file
    raise CannotStart("the package's own Triton plug-in is missing: install ovserve again")


def _check_place(backends: Path, target: Path) -> None:
    if not backends.is_dir():
        raise CannotStart(f"{backends} is not a folder: name Triton's folder of backends, /opt/tritonserver/backends")
    foreign = [file.name for file in sorted(target.glob("*")) if file.name not in ("model.py", "__pycache__")]
    model = target / "model.py"
    if model.is_file() and _MARK not in model.read_text(errors="replace"):
        foreign.append(model.name)
    if foreign:
        raise CannotStart(
            f"{target} holds another backend ({', '.join(foreign)}): move it away, or choose another --name"
        )


def _probe(python: str) -> dict[str, str | None]:
    try:
        done = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, check=True)  # noqa: S603 - the user's choice
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotStart(f"{python} does not run: {error}") from error
    found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    return found


def _wrong(found: dict[str, str | None], path: str, backends: Path) -> Iterator[str]:
    for stub in (backends / _STUB,):
        built_for = _LIBPYTHON.search(stub.read_bytes()) if stub.is_file() else None
        if built_for and built_for[1].decode() != found["python"]:
            yield (
                f"Triton's stub is built for Python {built_for[1].decode()}, {path} is {found['python']}: "
                f"use such a Python, or a stub for {found['python']}"
            )
    missing = [package for package in ("ovserve", "openvino", "numpy") if found[package] is None]
    if missing:
        yield f"{path} lacks {', '.join(missing)}: run {path} -m pip install ovserve 'numpy<2'"
    elif "error" in found:
        yield f"{path} cannot use ovserve: {found['error']}"
