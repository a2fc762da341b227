"""`ovclient bench` over REST, with real client processes against the fake server."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from ovclient.testing import FakeServer
from ovclient_command import Run, against

SHORT = ("--duration", "0.2", "--warm_up", "0.05")


@pytest.fixture
def bench(server: FakeServer, capfd: pytest.CaptureFixture[str]) -> Run:
    run = against(capfd, ["--http_port", server.rest_address.rpartition(":")[2]])
    return lambda *arguments: run("bench", "echo", *arguments)


def failing(after: Callable[[int], bool]) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """A model that fails where `after` so many requests says so."""
    counts = iter(range(10**9))

    def answer(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if after(next(counts)):
            raise ValueError("no more")
        return inputs

    return answer


def test_the_report_is_that_of_grpc(bench: Run, server: FakeServer) -> None:
    done = bench(*SHORT, "--concurrency", "1:3:2", "--batchsize", "5", "--json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out, parse_constant=pytest.fail)
    assert document["address"] == server.rest_address
    assert document["inputs"] == {"x": {"datatype": "FP32", "shape": [5]}}
    assert document["message_bytes"] > 5 * 4
    assert [(level["concurrency"], level["errors"]) for level in document["levels"]] == [(1, {}), (3, {})]
    assert all(0 < level["p50_ms"] <= level["p99_ms"] for level in document["levels"])
    assert sum(level["requests"] for level in document["levels"]) < len(server.requests())


def test_text_names_the_address(bench: Run, server: FakeServer) -> None:
    assert bench(*SHORT).out.startswith(f"Model echo version 1 at {server.rest_address}\n")


def test_failures_are_counted_by_grpcs_status(bench: Run, server: FakeServer) -> None:
    server.add_model("echo", failing(lambda count: count % 3 == 2), inputs={"x": ("FP32", [1])})
    (level,) = json.loads(bench(*SHORT, "--json").out)["levels"]
    assert level["requests"] > 0
    assert list(level["errors"]) == ["INTERNAL"]
    assert level["errors"]["INTERNAL"]["message"] == "model 'echo': ValueError: no more"


def test_a_level_of_failures_only_ends_the_benchmark(bench: Run, server: FakeServer) -> None:
    server.add_model("echo", failing(bool), inputs={"x": ("FP32", [1])})
    done = bench(*SHORT, "--concurrency", "2")
    sentence = "every request failed at concurrency 2: INTERNAL: model 'echo': ValueError: no more"
    assert (done.code, done.err) == (1, f"ovclient: {sentence}\n")
