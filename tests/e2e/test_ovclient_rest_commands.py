"""`ovclient` over REST."""

from collections.abc import Callable
from pathlib import Path

import pytest

import small_models
from client_process import ovclient_rest
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]


@pytest.fixture
def server(serve: Serve, repository: Path) -> ServerProcess:
    small_models.save(small_models.add_one([-1, 4]), repository / "m/3")
    return serve("--model_repository", str(repository), rest=True)


def test_the_commands_speak_rest(server: ServerProcess) -> None:
    assert ovclient_rest(server, "metadata", "m").stdout.startswith("Getting model metadata for model: m\nInputs")
    assert ovclient_rest(server, "live").stdout == "Server Live: True\n"
    assert ovclient_rest(server, "ready", "nope").returncode == 1
    assert "Model version: 3\nState AVAILABLE" in ovclient_rest(server, "status", "m").stdout


@pytest.mark.shared
@pytest.mark.parametrize("flags", [["--batchsize", "8"], ["--binary"], ["--binary_data"]])
def test_resnet_over_rest(serve_once: Serve, shared: Path, flags: list[str]) -> None:
    model = ("--model_name", "resnet", "--model_path", str(shared / "models/efficientnet-lite0"))
    done = ovclient_rest(serve_once(*model, "--layout", "NHWC:NCHW", rest=True), "resnet", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\t 0 Egyptian cat 285 ; score 0." in done.stdout
