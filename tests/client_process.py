"""`ovclient` as a user runs it."""

import subprocess
import sys
from pathlib import Path

from server_process import ServerProcess


def ovclient(server: ServerProcess, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ovclient", *arguments, "--grpc_port", str(server.port)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def ovclient_rest(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ovclient", *arguments, "--http_port", str(server.rest_port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
