"""A server whose repository changes, and what a client sees of it."""

import threading
import time
from collections.abc import Callable

import numpy as np
import openvino as ov
from openvino import opset13 as ops

import small_models
from ovclient import Client, OVClientError
from server_process import ServerProcess


def adding(number: float, length: int = 2) -> ov.Model:
    """`x` [1,length] -> `y` = x + number, with as many weights."""
    x = small_models.parameter("x", [1, length])
    weights = ops.constant(np.full((1, length), number, np.float32))
    return ov.Model([small_models.named(ops.add(x, weights), "y")], [x], "adding")


class Watched:
    """A server, its repository, and what a client sees of it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.client = Client(server.address)
        self._pause = threading.Event()

    def rows(self, name: str = "m") -> dict[str, tuple[str, str]]:
        """State and reason of each version."""
        return {row.version: (row.state, row.reason) for row in self.client.repository_index() if row.name == name}

    def wait(self, condition: Callable[[], bool], what: str = "") -> None:
        deadline_s = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline_s, f"{what}; {self.rows()}; {self.server.log}"
            assert self.server.process.poll() is None, self.server.log
            self._pause.wait(0.01)  # asked without a pause, the server has little time for anything else

    def wait_state(self, version: str, state: str, reason: str = "", name: str = "m") -> None:
        def reached() -> bool:
            found_state, found_reason = self.rows(name).get(version, ("absent", ""))
            return found_state == state and reason in found_reason

        self.wait(reached, f"waiting for version {version} to be {state} {reason}")

    def wait_answer(self, expected: float, name: str = "m") -> None:
        self.wait(lambda: self.answer(name) == expected, f"waiting for the answer {expected}")

    def answer(self, name: str = "m") -> float | None:
        try:
            shape = [abs(length) for length in self.client.metadata(name).inputs[0].shape]
            return float(self.client.infer(name, np.zeros(shape, np.float32))["y"].flat[0])
        except OVClientError:
            return None
