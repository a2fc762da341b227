"""A server in mode explicit, to which each test gives models of its own, so that not each needs a server."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tritonclient.grpc as triton

from server_process import ServerProcess


class OnRequest:
    """Serves what lies in `root` once it is asked for."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.root = root
        self.server = ServerProcess(
            "--model_repository", str(root), "--model_control_mode", "explicit", *flags, rest=True
        )
        self._numbers = itertools.count()

    def name(self) -> str:
        """A model's name that no other test has."""
        return f"model_{next(self._numbers)}"

    def load(self, name: str) -> None:
        with triton.InferenceServerClient(self.server.address) as client:
            client.load_model(name)


@contextmanager
def on_request(root: Path, *flags: str) -> Iterator[OnRequest]:
    """Start one, and stop it at the end."""
    house = OnRequest(root, *flags)
    yield house
    assert house.server.stop() == 0
    assert "internal error" not in house.server.log
