"""A real Triton, set up word for word as the page on Triton says, and ovserve with the same models."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import small_models
import triton_models
from checkout_copy import copy_of_the_checkout
from readme import CHECKOUT
from server_process import ServerProcess
from triton_page import Home, page, run
from triton_server import Served, TritonProcess

SHARED = CHECKOUT.parent / "shared"
WHEEL = "nvidia-pytriton==0.7.0"
NEWEST_PYTHON = (3, 12)

Start = Callable[..., TritonProcess]


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("no Triton: its wheel is for Linux x86_64")
    if sys.version_info[:2] > NEWEST_PYTHON:
        pytest.skip("no Triton: NumPy 1.26, which its stub needs, has no wheel for this Python")
    wheels = tmp_path_factory.mktemp("wheels")
    fetched = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", WHEEL, "--dest", str(wheels)]
    if subprocess.run(fetched, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no Triton: pip cannot download {WHEEL}")
    folder = copy_of_the_checkout(tmp_path_factory.mktemp("triton") / "ovserve")
    return Home(folder, run(page("install"), folder, PIP_FIND_LINKS=str(wheels)))


@pytest.fixture(scope="package")
def start(home: Home) -> Iterator[Start]:
    """Start Triton on a repository, with the page's command and more flags; each one started is stopped at the end."""
    started: list[TritonProcess] = []

    def start(repository: Path, *flags: str, python: str = "$PWD/triton-env") -> TritonProcess:
        command = page("serve").rstrip().replace("$PWD/model_repository", str(repository))
        command = command.replace("$PWD/triton-env", python)
        started.append(TritonProcess(" ".join([command, *flags]), home.folder))
        return started[-1]

    yield start
    with ThreadPoolExecutor() as threads:  # each takes seconds to see that its models have ended
        list(threads.map(TritonProcess.stop, started))


@pytest.fixture(scope="package")
def on_triton(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Served:
    root = tmp_path_factory.mktemp("models")
    for name, example in triton_models.examples(SHARED).items():
        triton_models.write(root, name, example, pbtxt=True)
    small_models.save(small_models.add_one([-1, 3]), root / "bare/1")
    server = start(root)
    return Served("triton", lambda _: server.address, server)


@pytest.fixture(scope="package")
def on_ovserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for the models without settings, and one for each that has some, when it is asked for."""
    root = tmp_path_factory.mktemp("models")
    started: dict[str, ServerProcess] = {}
    examples = triton_models.examples(SHARED)

    def address_of(name: str) -> str:
        example = examples.get(name)
        own = name if example and example.settings else ""
        if own and own not in started:
            folder = triton_models.write(root / "own", own, example, pbtxt=False)
            started[own] = ServerProcess("--model_name", own, "--model_path", str(folder), *example.flags)
        elif own not in started:
            for other, plain in examples.items():
                if not plain.settings:
                    triton_models.write(root / "all", other, plain, pbtxt=False)
            small_models.save(small_models.add_one([-1, 3]), root / "all/bare/1")
            started[own] = ServerProcess("--model_repository", str(root / "all"))
        return started[own].address

    yield Served("ovserve", address_of)
    for server in started.values():
        server.stop()


@pytest.fixture(params=["triton", "ovserve"])
def served(request: pytest.FixtureRequest) -> Served:
    """The same models behind either server."""
    found: Served = request.getfixturevalue(f"on_{request.param}")
    return found
