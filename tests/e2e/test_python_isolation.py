"""Processes of Python models behind a real server: none of them keeps it, and none is left behind."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from python_models import source
from server_process import ServerProcess

EXECUTE = """
import os, time
open(MARK, "w").write(str(os.getpid()))
while True: pass
"""


def settled(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.01)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("isolation", ["in_process", "process"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_model_that_runs_without_end_does_not_keep_the_server(
    tmp_path: Path, isolation: str, number: signal.Signals
) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "models/m/1").mkdir(parents=True)
    (tmp_path / "models/m/config.pbtxt").write_text('backend: "python"')
    (tmp_path / "models/m/1/model.py").write_text(source(EXECUTE, top=f"MARK = {str(mark)!r}"))
    server = ServerProcess(
        *("--model_repository", str(tmp_path / "models"), "--exit_timeout_secs", "0.5"),
        *("--python_model_isolation", isolation),
    )
    x = triton.InferInput("x", [1], "FP32")
    x.set_data_from_numpy(np.ones(1, np.float32))
    with triton.InferenceServerClient(server.address) as client:
        client.async_infer("m", [x], lambda result, error: None)
        settled(lambda: mark.exists() and bool(mark.read_text()))
        assert server.stop(number, timeout_s=30) == 0
    settled(lambda: gone(int(mark.read_text())))


def test_a_killed_server_leaves_no_process_behind(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "models/m/1").mkdir(parents=True)
    (tmp_path / "models/m/config.pbtxt").write_text('backend: "python"')
    started = (
        "import os, subprocess, sys\nCHILD = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    )
    text = source(top=f"{started}open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{CHILD.pid}}')")
    (tmp_path / "models/m/1/model.py").write_text(text)
    server = ServerProcess("--model_repository", str(tmp_path / "models"), "--python_model_isolation", "process")
    worker, child = map(int, re.findall(r"\d+", mark.read_text()))
    assert not gone(worker)
    os.kill(server.process.pid, signal.SIGKILL)
    server.stop()
    settled(lambda: gone(worker) and gone(child))


WHOLE = """
backend: "python"
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] } ]
"""


@pytest.mark.parametrize("isolation", ["in_process", "process"])
def test_nobody_is_asked_to_complete_what_is_to_be_whole(tmp_path: Path, isolation: str) -> None:
    """`--disable_auto_complete_config`, as in Triton."""
    (tmp_path / "m/1").mkdir(parents=True)
    (tmp_path / "m/config.pbtxt").write_text(WHOLE)
    asked = source().replace("return config", "raise ValueError('asked')")
    (tmp_path / "m/1/model.py").write_text(asked)
    flags = ("--disable_auto_complete_config", "--python_model_isolation", isolation)
    server = ServerProcess("--model_repository", str(tmp_path), *flags)
    x = triton.InferInput("x", [2], "FP32")
    x.set_data_from_numpy(np.array([1, 2], np.float32))
    with triton.InferenceServerClient(server.address) as client:
        assert client.infer("m", [x]).as_numpy("y").tolist() == [2, 4]
    assert server.stop() == 0
