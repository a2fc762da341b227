"""A real Triton: with our plug-in, and with the least Python model that infers with OpenVINO."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache as once
from functools import partial
from pathlib import Path

from checkout_copy import copy_of_the_checkout
from peers.cases import NAME
from peers.environment import complete, fingerprint, fresh, is_complete
from peers.place import Place
from peers.process import Server, Way
from peers.signature import Signature, Tensor
from peers.theirs import THEIRS
from readme import CHECKOUT, blocks
from triton_page import PAGE, page, run
from triton_server import TritonProcess

VERSION = "2.51"  # of which the page's wheel is


def python_ways(place: Place) -> dict[str, Way]:
    cores = len(os.sched_getaffinity(0))
    return {f"{cores} instances of one thread, not pinned": partial(_python, place, cores)}


def plugin_ways(place: Place) -> dict[str, Way]:
    return {"one instance": partial(_plugin, place)}


@contextmanager
def _python(place: Place, cores: int) -> Iterator[Server]:
    repository = place.work("triton-python")
    shutil.copytree(place.file.parent, repository / NAME / "1")
    shutil.copy(THEIRS / "triton_model.py", repository / NAME / "1/model.py")
    (repository / NAME / "config.pbtxt").write_text(pbtxt(place.signature, cores))
    with _triton(home(place.cache), repository) as server:
        yield server


@contextmanager
def _plugin(place: Place) -> Iterator[Server]:
    with _triton(home(place.cache), place.repository) as server:
        yield server


@contextmanager
def _triton(folder: Path, repository: Path) -> Iterator[Server]:
    """Triton as its page starts it, on another repository and port."""
    started = TritonProcess(page("serve").rstrip().replace("$PWD/model_repository", str(repository)), folder)
    try:
        yield Server(started.address, started.process.pid)
    finally:
        started.stop()


def pbtxt(signature: Signature, instances: int) -> str:
    """Triton's configuration of a Python model with these tensors."""
    return "\n".join(
        [
            'backend: "python"',
            f"instance_group {{ count: {instances} kind: KIND_CPU }}",
            *(_tensor("input", tensor) for tensor in signature.inputs),
            *(_tensor("output", tensor) for tensor in signature.outputs),
            "",
        ]
    )


def _tensor(which: str, tensor: Tensor) -> str:
    kind = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    return f'{which} {{ name: "{tensor.name}" data_type: TYPE_{kind} dims: {tensor.shape} }}'


@once
def home(cache: Path) -> Path:
    """A folder set up word for word as the page says: kept, but for our own package, which is installed anew."""
    install = [block.code for block in blocks(PAGE) if block.role == "install"]
    folder = cache / f"triton-{fingerprint(*install, (CHECKOUT / 'pyproject.toml').read_text())}"
    if is_complete(folder):
        _renew(folder, install[-1])
    else:
        run("\n".join(install), copy_of_the_checkout(fresh(folder)))
        complete(folder)
    return folder


def _renew(folder: Path, last: str) -> None:
    copy_of_the_checkout(folder)
    command = ["triton-env/bin/pip", "install", "--quiet", "--no-deps", "--force-reinstall", "."]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    run(last, folder)
