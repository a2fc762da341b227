"""`ovclient bench` against the real server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from server_process import ServerProcess

MODEL = Path(__file__).resolve().parents[2] / "model_repository/resnet"


def test_bench_of_our_own_model(serve: Callable[..., ServerProcess]) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(MODEL))
    flags = ["--concurrency", "1:4:3", "--batchsize", "2", "--duration", "0.5", "--warm_up", "0.1", "--json"]
    command = [sys.executable, "-m", "ovclient", "bench", "resnet", *flags, "--grpc_port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["inputs"] == {"0": {"datatype": "FP32", "shape": [2, 1, 8, 8]}}
    assert (document["model"], document["version"]) == ("resnet", "1")
    assert [level["concurrency"] for level in document["levels"]] == [1, 4]
    assert all(level["requests"] > 0 and level["errors"] == {} for level in document["levels"])


def test_bench_with_tensors_in_shared_memory(serve: Callable[..., ServerProcess]) -> None:
    server = serve("--model_name", "resnet", "--model_path", str(MODEL))
    flags = ["--shared_memory", "system", "--duration", "0.3", "--warm_up", "0.1", "--json"]
    command = [sys.executable, "-m", "ovclient", "bench", "resnet", *flags, "--grpc_port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (level,) = json.loads(done.stdout)["levels"]
    assert level["requests"] > 0
    assert level["errors"] == {}
    assert list(Path("/dev/shm").glob("ovclient_*")) == []  # noqa: S108
