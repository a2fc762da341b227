"""`ovclient bench` against the real server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client_process import ovclient, ovclient_rest
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]

MODEL = Path(__file__).resolve().parents[2] / "model_repository/resnet"


@pytest.mark.parametrize("run", [ovclient, ovclient_rest], ids=["grpc", "rest"])
def test_bench_of_our_own_model(serve: Serve, run: Callable[..., Any]) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(MODEL), rest=True)
    flags = ["--concurrency", "1:4:3", "--batchsize", "2", "--duration", "0.5", "--warm_up", "0.1", "--json"]
    done = run(server, "bench", "resnet", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["inputs"] == {"0": {"datatype": "FP32", "shape": [2, 1, 8, 8]}}
    assert (document["model"], document["version"]) == ("resnet", "1")
    assert document["address"].startswith("http://") == (run is ovclient_rest)
    assert document["message_bytes"] > 2 * 64 * 4
    assert [level["concurrency"] for level in document["levels"]] == [1, 4]
    assert all(level["requests"] > 0 and level["errors"] == {} for level in document["levels"])


def test_bench_with_tensors_in_shared_memory(serve: Serve) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(MODEL))
    flags = ["--shared_memory", "system", "--concurrency", "2", "--duration", "0.3", "--warm_up", "0.1", "--json"]
    done = ovclient(server, "bench", "resnet", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    (level,) = json.loads(done.stdout)["levels"]
    assert level["requests"] > 0
    assert level["errors"] == {}
    assert list(Path("/dev/shm").glob("ovclient_*")) == []  # noqa: S108


def test_bench_through_one_stream(serve: Serve) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(MODEL))
    flags = ["--streaming", "--concurrency", "4", "--processes", "1", "--duration", "0.5", "--warm_up", "0.1", "--json"]
    done = ovclient(server, "bench", "resnet", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    (level,) = json.loads(done.stdout)["levels"]
    assert level["requests"] > 4
    assert level["errors"] == {}
