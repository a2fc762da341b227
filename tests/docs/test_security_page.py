"""The page on who may come in: its commands run, its keys are keys, and its table is the one in force."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from authority import Authority
from ovserve.frontends.grpc.rights import RIGHTS
from ovserve.frontends.grpc.stream import MOST_STREAMS
from ovserve.http2.limits import Limits
from ovserve.security.key_file import parse_keys
from ovserve.security.keys import Right
from readme import CHECKOUT, blocks
from server_process import ServerProcess

PAGE = CHECKOUT / "backend/docs/security.md"
BLOCKS = {block.role or block.language: block.code for block in blocks(PAGE)}


def test_its_keys_are_keys() -> None:
    assert [key.rights for key in parse_keys(BLOCKS["text"])] == [
        frozenset(Right),
        frozenset({Right.INFERENCE}),
        frozenset({Right.METRICS}),
        frozenset({Right.INFERENCE, Right.METRICS}),
    ]


def test_its_commands_meet(serve: Callable[..., ServerProcess], tmp_path: Path) -> None:
    """The server of the page, with a key that the page made, answers the client of the page."""
    ca = Authority(tmp_path, "ca")
    files = ca.issue("server")
    files.cert.rename(tmp_path / "cert.pem")
    files.key.rename(tmp_path / "key.pem")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/resnet").symlink_to(CHECKOUT / "model_repository/resnet")
    made = subprocess.run([sys.executable, "-c", BLOCKS["python"]], capture_output=True, text=True, check=True).stdout
    key, line = made.splitlines()
    (tmp_path / "my.key").write_text(key)
    (tmp_path / "keys").write_text(line)
    _, *arguments = shlex.split(BLOCKS["server"].replace("\\\n", ""))
    named = {name: str(tmp_path / name) for name in ("models", "cert.pem", "key.pem", "keys")}
    server = serve(*(named.get(argument, argument) for argument in arguments), "--allow_symlinks")
    environment = {**os.environ, "OVCLIENT_GRPC_PORT": str(server.port)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    asked = subprocess.run(
        ["sh", "-e", "-c", BLOCKS["client"]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=120,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert "resnet" in asked.stdout


def test_each_guarded_call_stands_in_the_row_of_its_right() -> None:
    rows = dict(re.findall(r"^\| `?([a-z ]+)`? \| ([A-Z].*) \|$", PAGE.read_text(), re.MULTILINE))
    several = {"ServerMetadata", "ModelMetadata", "Classify", "Regress", "MultiInference", "Check", "List", "Watch"}
    for call, right in RIGHTS.items():
        name = call.rpartition("/")[2]
        if name not in several and "SharedMemory" not in name and "Reflection" not in name:
            assert re.search(rf"\b{name}\b", rows["none needed" if right is None else right.value]), name


def test_its_limits_are_those_in_force() -> None:
    limits, table = Limits(1 << 30), PAGE.read_text().partition("## Limits")[2]
    assert f"`--grpc_max_connections`, {limits.connections};" in table
    assert f"`--grpc_max_concurrent_streams`, {limits.streams};" in table
    assert f"| streams of ModelStreamInfer | {MOST_STREAMS};" in table
    assert f"closed after {limits.handshake_s:.0f} s |" in table
    assert f"after {limits.idle_s / 60:.0f} minutes" in table
    assert f"after {limits.keepalive_s + limits.keepalive_timeout_s:.0f} s if the peer is gone" in table
    assert f"| metadata of a call | {limits.metadata_bytes >> 10} KiB;" in table
    assert f"{Limits(0).held_bytes >> 20} MiB at least" in table
