"""README's blocks run as they stand there, but for the port, which is a free one."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checkout_copy import copy_of_the_checkout
from readme import CHECKOUT, readme
from server_process import READY, REST_READY

ONE_INSTALL_S = 600


@dataclass
class Running:
    """README's server, running in that copy."""

    folder: Path
    port: int
    rest_port: int

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "OVCLIENT_GRPC_PORT": str(self.port)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def wait_until_ready(process: "subprocess.Popen[str]", told: re.Pattern[str] = READY) -> int:
    for line in process.stdout:
        if found := told.match(line):
            return int(found[2])
    raise AssertionError(f"the command ended with {process.wait()}")


def stop(process: "subprocess.Popen[str]") -> int:
    """Ctrl-C: to the whole group, as a terminal does it."""
    os.killpg(process.pid, signal.SIGINT)
    process.stdout.close()
    return process.wait(60)


def start(command: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "OVSERVE_PORT": "auto"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@dataclass
class Installed:
    """A copy of the checkout in which README's first command has run, and what that printed."""

    folder: Path
    printed: str


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = copy_of_the_checkout(tmp_path_factory.mktemp("clone") / "ovserve")
    (command,) = readme("run")
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Installed(folder, done.stdout)


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Running]:
    (command,) = readme("serve")
    process = start(command.replace("--rest_port 8000", "--rest_port auto"), installed.folder)
    yield Running(installed.folder, wait_until_ready(process), wait_until_ready(process, REST_READY))
    stop(process)


@pytest.mark.timeout(ONE_INSTALL_S)
def test_the_first_command_installs_and_shows_right_answers(installed: Installed) -> None:
    assert installed.printed.endswith("All answers are right.\n")
    assert len(list((installed.folder / "ovserve-demo").glob("*.jpg"))) == 3


@pytest.mark.timeout(ONE_INSTALL_S)
def test_our_client_gets_right_answers(running: Running) -> None:
    (commands,) = readme("ask")
    printed = running.run("bash", "-ec", commands)
    assert "Classification accuracy: 100.00" in printed
    assert "Input name: data; shape: [1, 3, -1, -1]; dtype: DT_FLOAT" in printed
    assert printed.count("State AVAILABLE") == 2
    assert len(list((running.folder / "faces").glob("*.jpg"))) == 3


@pytest.mark.timeout(ONE_INSTALL_S)
@pytest.mark.parametrize("index", range(2))
def test_the_python_clients_get_answers(running: Running, index: int) -> None:
    code = readme("ask", "python")[index].replace("localhost:9000", f"localhost:{running.port}")
    printed = running.run(".venv/bin/python", "-c", code)
    assert ("(1, 10)", "(1, 1, 200, 7)")[index] in printed


@pytest.mark.timeout(ONE_INSTALL_S)
def test_curl_gets_answers(running: Running) -> None:
    (commands,) = readme("curl")
    printed = running.run("bash", "-ec", commands.replace("localhost:8000", f"localhost:{running.rest_port}"))
    assert '"name":"face-detection"' in printed
    assert '"name":"1463","datatype":"FP32","shape":[1,10],"data":[' in printed


@pytest.mark.timeout(ONE_INSTALL_S)
def test_the_in_process_door_answers_without_a_server(running: Running) -> None:
    (code,) = readme("", "python")
    assert running.run(".venv/bin/python", "-c", code) == "(4, 10)\n"


@pytest.mark.timeout(ONE_INSTALL_S)
def test_the_one_model_form_serves(running: Running) -> None:
    (command,) = readme("")
    process = start(command.replace("--port 9000", "--port auto"), running.folder)
    assert wait_until_ready(process) > 0
    stop(process)


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    (command,) = readme("test")
    assert command.strip().endswith(".venv/bin/pytest")
    assert "tests/docs/readme.py test" in (CHECKOUT / ".ci/run").read_text()
