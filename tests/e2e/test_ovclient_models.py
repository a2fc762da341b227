"""Loading and unloading by request, by our client and its command line, against the real server."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import small_models
from client_process import ovclient
from ovclient import AsyncClient, Client, InvalidRequest, NotReady, ServerFailure
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]
X = np.zeros((1, 4), np.float32)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    small_models.save(small_models.add_one([-1, 4]), tmp_path / "m/1")
    small_models.save(small_models.add_one([-1, 4]), tmp_path / "broken/1")
    (tmp_path / "broken/1/model.xml").write_text("no model")
    return tmp_path


@pytest.fixture
def server(serve: Serve, repository: Path) -> ServerProcess:
    return serve("--model_repository", str(repository), "--model_control_mode", "explicit")


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def states(client: Client) -> dict[str, tuple[str, str]]:
    return {row.name: (row.version, row.state) for row in client.repository_index()}


def models(server: ServerProcess, *arguments: str) -> tuple[int, str, str]:
    done = ovclient(server, "models", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_model_is_served_from_its_load_to_its_unload(client: Client) -> None:
    assert states(client) == {"broken": ("", ""), "m": ("", "")}
    client.load_model("m")
    assert (client.infer("m", X)["y"] == 1).all()
    assert states(client)["m"] == ("1", "READY")
    client.unload_model("m", unload_dependents=True)
    assert not client.ready("m")
    assert client.repository_index(ready=True) == ()
    client.unload_model("m")
    client.load_model("m")
    assert (client.infer("m", X)["y"] == 1).all()


def test_the_async_client_does_the_same(server: ServerProcess) -> None:
    async def main() -> None:
        async with AsyncClient(server.address) as client:
            await client.load_model("m")
            assert ((await client.infer("m", X))["y"] == 1).all()
            await client.unload_model("m")
            assert not await client.ready("m")

    asyncio.run(main())


def test_what_cannot_be_loaded_is_told_and_may_be_mended(client: Client, repository: Path) -> None:
    client.unload_model("nope")
    with pytest.raises(ServerFailure, match=r"^failed to load 'nope', failed to poll from model repository$"):
        client.load_model("nope")
    with pytest.raises(InvalidRequest, match=r"^load failed for model 'broken': version 1 is at UNAVAILABLE state: "):
        client.load_model("broken")
    assert states(client)["broken"] == ("1", "UNAVAILABLE")
    small_models.save(small_models.add_one([-1, 4]), repository / "broken/1")
    client.load_model("broken")
    assert (client.infer("broken", X)["y"] == 1).all()


@pytest.mark.parametrize("mode", ["watch", "poll", "none"])
def test_other_modes_load_nothing_by_request(serve: Serve, tmp_path: Path, mode: str) -> None:
    small_models.save(small_models.add_one([-1, 4]), tmp_path / "m/1")
    server = serve("--model_repository", str(tmp_path), "--model_control_mode", mode)
    sentence = "models are loaded and unloaded by request only with --model_control_mode explicit"
    with Client(server.address) as client:
        for change in (client.load_model, client.unload_model):
            with pytest.raises(NotReady, match=f"^{sentence}$"):
                change("m")
        assert (client.infer("m", X)["y"] == 1).all()
    assert models(server, "load", "m") == (1, "", f"ovclient: {sentence}\n")


def test_the_commands_show_what_they_do(server: ServerProcess) -> None:
    header = "name    version  state  reason"
    assert models(server, "list") == (0, f"{header}\nbroken  -        -\nm       -        -\n", "")
    assert models(server, "load", "m") == (0, "Model 'm' is loaded.\n", "")
    ready = {"name": "m", "version": "1", "state": "READY", "reason": ""}
    code, out, _ = models(server, "list", "--ready", "--json")
    assert (code, json.loads(out)) == (0, [ready])
    assert models(server, "unload", "m") == (0, "Model 'm' takes no more requests.\n", "")
    assert models(server, "list", "--ready") == (0, "name  version  state  reason\n", "")
    code, out, err = models(server, "load", "broken")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("ovclient: load failed for model 'broken': version 1 is at UNAVAILABLE state: ")
    sentence = "ovclient: failed to load 'nope', failed to poll from model repository\n"
    assert models(server, "load", "nope") == (1, "", sentence)


@pytest.fixture
def watch(server: ServerProcess) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "ovclient", "models", "watch", "--interval", "0.01"]
    command += ["--grpc_port", str(server.port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_watch_sees_a_model_come_and_go(watch: "subprocess.Popen[str]", client: Client) -> None:
    def read_until(*ends: str) -> str:
        """The next line that ends so; short states between may be seen or not."""
        return next(line.partition(" ")[2].strip() for line in watch.stdout if line.strip().endswith(ends))

    assert read_until("m not loaded") == "m not loaded"
    client.load_model("m")
    assert read_until(" READY").startswith("m version 1 ")
    client.unload_model("m")
    assert read_until(" UNAVAILABLE: unloaded", " gone").startswith("m version 1 ")
    watch.send_signal(signal.SIGINT)
    _, err = watch.communicate(timeout=60)
    assert (watch.returncode, err) == (130, "")
