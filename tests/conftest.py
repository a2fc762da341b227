"""What every test may ask for."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests read what is written to standard error; gRPC's core writes there by itself, and in a process that is forked while
# it runs it meddles with files that both have.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Hundreds of processes are started here: each finds the bytecode of the one before.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from server_process import ServerProcess

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED = CHECKOUT.parent / "shared"


def pytest_configure() -> None:
    """Let children be interrupted: run in the background by a shell, we were started with SIGINT ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests run side by side by file, those that share a server stay together."""
    from side_by_side import Grouped  # noqa: PLC0415 - only where xdist is

    return Grouped(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and data beside the checkout; without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("../shared with the real models and data is absent")
    return SHARED


@pytest.fixture
def serve() -> Iterator[Callable[..., ServerProcess]]:
    """Start `ovserve` with these arguments; each one started is stopped at the end."""
    started: list[ServerProcess] = []

    def start(*arguments: str, **options: object) -> ServerProcess:
        started.append(ServerProcess(*arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def serve_once() -> Iterator[Callable[..., ServerProcess]]:
    """Start `ovserve` with these arguments unless a test of the module has: for tests that leave it as it was."""
    started: dict[tuple[str, ...], ServerProcess] = {}

    def start(*arguments: str, rest: bool = False) -> ServerProcess:
        if (*arguments, str(rest)) not in started:
            started[*arguments, str(rest)] = ServerProcess(*arguments, rest=rest)
        return started[*arguments, str(rest)]

    yield start
    assert [server.stop() for server in started.values()] == [0] * len(started)
