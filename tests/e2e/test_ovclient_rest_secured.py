"""Both clients over REST: TLS, mutual TLS and keys."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_models
from authority import Authority
from client_process import ovclient, ovclient_rest
from ovclient import (
    AccessDenied,
    Client,
    ConnectionFailed,
    InvalidSetup,
    OVClientError,
)
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
X = np.zeros((1, 4), np.float32)


class Secured:
    """A server that wants TLS and a key, and a client's certificate if `mutual`."""

    def __init__(self, root: Path, *, mutual: bool) -> None:
        self.ca = Authority(root, "ca")
        files, self.client_files = self.ca.issue("server"), self.ca.issue("client") if mutual else None
        (root / "keys").write_text("adm1n-key\nus3r-key inference\n")
        small_models.save(small_models.add_one([-1, 4]), root / "repository/m/1")
        pair = ("--tls_cert", str(files.cert), "--tls_key", str(files.key), "--api_key_file", str(root / "keys"))
        clients = ("--tls_client_ca", str(self.ca.path)) if mutual else ()
        explicit = ("--model_control_mode", "explicit", "--load_model", "m")
        self.server = ServerProcess(
            "--model_repository", str(root / "repository"), *explicit, *pair, *clients, rest=True
        )

    @property
    def address(self) -> str:
        return f"https://localhost:{self.server.rest_port}"

    def client(self, twin: Any, key: str | None = "us3r-key", **settings: Any) -> Client:
        shown = self.client_files
        pair = {} if shown is None else {"client_cert": shown.cert, "client_key": shown.key}
        return twin(self.address, **{"server_cert": self.ca.path, "api_key": key, **pair, **settings})

    def flags(self, key: str = "us3r-key") -> list[str]:
        """Those of the command line."""
        flags = ["--tls", "--server_cert", str(self.ca.path), "--api_key", key]
        if shown := self.client_files:
            flags += ["--client_cert", str(shown.cert), "--client_key", str(shown.key)]
        return flags


@pytest.fixture(scope="module", params=[False, True], ids=["tls", "mutual"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("secured"), mutual=request.param)
    yield secured
    assert secured.server.stop() == 0


def test_who_is_trusted_and_has_a_key_is_answered(twin: Any, secured: Secured) -> None:
    with secured.client(twin, tls=True) as client, ThreadPoolExecutor(4) as threads:
        assert all((y["y"] == 1).all() for y in threads.map(lambda _: client.infer("m", X), range(20)))


@pytest.mark.parametrize("key", [None, "n0body-key", "us3r-key"])
def test_keys_are_refused_as_over_grpc(twin: Any, secured: Secured, key: str | None) -> None:
    with secured.client(twin, key) as client:
        assert client.ready("m")
        with pytest.raises(AccessDenied):
            client.unload_model("m")
    with secured.client(twin, "adm1n-key") as client:
        client.load_model("m")


def test_a_server_that_is_not_trusted_is_no_server(twin: Any, secured: Secured, tmp_path: Path) -> None:
    for wrong in (Authority(tmp_path, "other").path, None):
        with (
            secured.client(twin, server_cert=wrong) as client,
            pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY"),
        ):
            client.live()


@pytest.fixture(scope="module")
def unsecured(serve_once: Serve, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    return serve_once("--model_repository", str(tmp_path_factory.mktemp("unsecured")), rest=True)


def test_who_speaks_another_protocol_is_told_that_there_is_no_connection(
    twin: Any, secured: Secured, unsecured: ServerProcess
) -> None:
    plain = twin(secured.address.replace("https", "http"))
    wrapped = twin(f"https://{unsecured.rest_address}")
    grpc = twin(f"http://{unsecured.address}")
    for client in (plain, wrapped, grpc):
        with client, pytest.raises(OVClientError, match=client.address):
            client.live()


@pytest.mark.parametrize("secured", [True], ids=["mutual"], indirect=True, scope="module")
def test_mutual_tls_wants_a_certificate(twin: Any, secured: Secured, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("client")
    for cert, key in ((None, None), (stranger.cert, stranger.key)):
        with secured.client(twin, client_cert=cert, client_key=key) as client, pytest.raises(ConnectionFailed):
            client.live()
    with pytest.raises(InvalidSetup, match=r"client_cert and client_key: .* cannot be used"):
        secured.client(twin, client_cert=stranger.cert)


@pytest.mark.parametrize(("run", "place"), [(ovclient, "--grpc_address"), (ovclient_rest, "--http_address")])
def test_status_with_certificates_and_a_key_is_ovmss(secured: Secured, run: Run, place: str) -> None:
    done = run(secured.server, "status", "m", place, "localhost", *secured.flags())
    assert (done.returncode, done.stderr) == (0, "")
    lines = ["Getting model status for model: m", "", "Model version: 1", "State AVAILABLE", "Error code:  0"]
    assert done.stdout.splitlines() == [*lines, "Error message:  OK"]
    refused = run(secured.server, "status", "m", place, "localhost", *secured.flags("n0body-key"))
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)


def test_the_other_commands_take_certificates_and_keys(secured: Secured) -> None:
    done = ovclient_rest(secured.server, "metadata", "m", "--http_address", "localhost", *secured.flags())
    assert (done.returncode, done.stderr) == (0, "")
    flags = ("--duration", "0.1", "--warm_up", "0.1", "--processes", "1", "--json")
    done = ovclient_rest(secured.server, "bench", "m", "--http_address", "localhost", *secured.flags(), *flags)
    (level,) = json.loads(done.stdout)["levels"]
    assert (done.returncode, level["requests"] > 0, level["errors"]) == (0, True, {})
