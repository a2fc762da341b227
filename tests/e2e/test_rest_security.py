"""TLS and keys over REST: the same files and rights as over gRPC."""

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import small_models
from authority import Authority, Files, replace
from server_process import ServerProcess

ADMIN, USER = "adm1n-key", "us3r-key"
KEYS = f"{ADMIN}\n{USER} inference\n"
INPUT = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [0, 0]}]}


class Secured:
    """A server that wants TLS, a client's certificate, and a key."""

    def __init__(self, root: Path) -> None:
        self.ca = Authority(root, "ca")
        self.files = self.ca.issue("server")
        self.client_files = self.ca.issue("client")
        self.keys = root / "keys"
        self.keys.write_text(KEYS)
        small_models.save(small_models.add_one([2]), root / "repository/m/1")
        pair = ("--tls_cert", str(self.files.cert), "--tls_key", str(self.files.key))
        clients = ("--tls_client_ca", str(self.ca.path), "--api_key_file", str(self.keys))
        explicit = ("--model_control_mode", "explicit", "--load_model", "m")
        repository = ("--model_repository", str(root / "repository"))
        self.server = ServerProcess(*repository, *explicit, *pair, *clients, rest=True)

    def connect(self, ca: Authority | None = None, show: Files | None = None) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=(ca or self.ca).path)
        shown = show or self.client_files
        context.load_cert_chain(shown.cert, shown.key)
        return http.client.HTTPSConnection("localhost", self.server.rest_port, context=context, timeout=60)

    def ask(
        self, method: str, path: str, body: object = None, *, show: Files | None = None, **headers: str
    ) -> tuple[int, str]:
        with closing(self.connect(show=show)) as connection:
            return answer(connection, method, path, body, **headers)

    def assert_well(self) -> None:
        """A good request is answered and, without a key, the probes."""
        status, text = self.ask("POST", "/v2/models/m/infer", INPUT, authorization=f"Bearer {USER}")
        assert (status, json.loads(text)["outputs"][0]["data"]) == (200, [1, 1])
        for probe in ("/v2/health/live", "/v2/health/ready", "/v2/models/m/ready"):
            assert self.ask("GET", probe)[0] == 200


def answer(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, str]:
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.fixture(scope="module")
def shared_secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("rest"))
    yield secured
    assert secured.server.stop() == 0
    for word in (ADMIN, USER, "Traceback"):
        assert word not in secured.server.log


@pytest.fixture
def secured(shared_secured: Secured) -> Iterator[Secured]:
    yield shared_secured
    shared_secured.keys.write_text(KEYS)
    shared_secured.assert_well()


def test_who_shows_certificate_and_key_is_answered(secured: Secured) -> None:
    secured.assert_well()


def test_who_trusts_somebody_else_refuses_the_server(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    with closing(secured.connect(ca=other)) as connection, pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/v2/health/live")


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's", "expired"])
def test_who_shows_no_good_certificate_is_refused(secured: Secured, tmp_path: Path, whose: str) -> None:
    context = ssl.create_default_context(cafile=secured.ca.path)
    if whose != "nobody's":
        signer = secured.ca if whose == "expired" else Authority(tmp_path)
        files = signer.issue("late", expired=whose == "expired")
        context.load_cert_chain(files.cert, files.key)
    port = secured.server.rest_port
    with (
        closing(http.client.HTTPSConnection("localhost", port, context=context, timeout=60)) as connection,
        pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)),
    ):
        answer(connection, "GET", "/v2/health/live")


def test_plain_text_is_refused(secured: Secured) -> None:
    with (
        closing(http.client.HTTPConnection("localhost", secured.server.rest_port, timeout=60)) as connection,
        pytest.raises((ConnectionError, http.client.HTTPException)),
    ):
        answer(connection, "GET", "/v2/health/live")


def test_a_certificate_that_is_replaced_is_shown_to_whoever_comes_next(secured: Secured) -> None:
    def shown(connection: http.client.HTTPSConnection) -> bytes:
        assert answer(connection, "GET", "/v2/health/live")[0] == 200
        return connection.sock.getpeercert(binary_form=True)

    with closing(secured.connect()) as old, closing(secured.connect()) as new:
        before = shown(old)
        replace(secured.files, secured.ca.issue("renewed"))
        assert shown(new) == ssl.PEM_cert_to_DER_cert(secured.files.cert.read_text()) != before
        assert answer(old, "GET", "/v2/health/live")[0] == 200


def test_an_expired_certificate_is_refused_by_clients_until_a_good_one_comes(secured: Secured) -> None:
    replace(secured.files, secured.ca.issue("late", expired=True))
    with (
        closing(secured.connect()) as connection,
        pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"),
    ):
        connection.request("GET", "/v2/health/live")
    replace(secured.files, secured.ca.issue("good"))
    secured.assert_well()


def test_each_right_opens_what_is_its_own(secured: Secured) -> None:
    load = ("POST", "/v2/repository/models/m/load", {})
    assert secured.ask("GET", "/v2/models/m")[0] == 401
    assert secured.ask("GET", "/v2/models/m", authorization="Bearer n0body")[0] == 401
    assert secured.ask("GET", "/v2/models/m", authorization=f"Bearer {USER}")[0] == 200
    assert secured.ask("GET", "/v2/models/m", **{"x-api-key": USER})[0] == 200
    assert secured.ask(*load)[0] == 401
    status, text = secured.ask(*load, authorization=f"Bearer {USER}")
    assert status == 403
    assert "needs the right 'management', which the key sent does not have" in text
    assert secured.ask(*load, authorization=f"Bearer {ADMIN}")[0] == 200


def test_keys_that_change_count_at_once_on_connections_that_are_there(secured: Secured) -> None:
    with closing(secured.connect()) as connection:
        assert answer(connection, "GET", "/v2", authorization=f"Bearer {USER}")[0] == 200
        secured.keys.write_text("n3xt-key inference")
        assert answer(connection, "GET", "/v2", authorization=f"Bearer {USER}")[0] == 401
        assert answer(connection, "GET", "/v2", authorization="Bearer n3xt-key")[0] == 200


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"], ids=["silent", "half a handshake"])
def test_500_idle_connections_disturb_nobody(secured: Secured, said: bytes) -> None:
    with ExitStack() as idle:
        for _ in range(500):
            connection = idle.enter_context(socket.create_connection(("127.0.0.1", secured.server.rest_port)))
            connection.sendall(said)
        secured.assert_well()


def test_idle_connections_make_room_over_tls_too(serve: Callable[..., ServerProcess], tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    files = ca.issue("server")
    small_models.save(small_models.add_one([2]), tmp_path / "repository/m/1")
    pair = ("--tls_cert", str(files.cert), "--tls_key", str(files.key), "--rest_max_connections", "2")
    server = serve("--model_repository", str(tmp_path / "repository"), *pair, rest=True)
    context = ssl.create_default_context(cafile=ca.path)
    with ExitStack() as stack:
        connections = [
            stack.enter_context(
                closing(http.client.HTTPSConnection("localhost", server.rest_port, context=context, timeout=60))
            )
            for _ in range(100)
        ]
        for connection in connections:
            assert answer(connection, "POST", "/v2/models/m/infer", INPUT)[0] == 200
        for connection in connections[-2:]:
            assert answer(connection, "GET", "/v2/health/ready")[0] == 200
