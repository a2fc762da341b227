"""TLS and mutual TLS: who is let in, and what certificates that change mean to those who are."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import small_models
from authority import Authority, Files, replace
from ovclient import Client, ConnectionFailed
from server_process import ServerProcess, run_ovserve

Serve = Callable[..., ServerProcess]

X = np.zeros(2, np.float32)
CANNOT_SERVE, WRONG_USAGE = 1, 2


class Secured:
    """A server with certificates, and what those who are let in see of it."""

    def __init__(self, root: Path, *, mutual: bool) -> None:
        self.ca = Authority(root, "ca")
        self.files = self.ca.issue("server")
        self.client_files = self.ca.issue("client") if mutual else None
        self.repository = root / "repository"
        small_models.save(small_models.add_one([2]), self.repository / "m/1")
        client_ca = ("--tls_client_ca", str(self.ca.path)) if mutual else ()
        pair = ("--tls_cert", str(self.files.cert), "--tls_key", str(self.files.key))
        self.server = ServerProcess("--model_repository", str(self.repository), *pair, *client_ca)

    @property
    def address(self) -> str:
        return f"localhost:{self.server.port}"

    def client(self, ca: Authority | None = None, show: Files | None = None) -> Client:
        shown = show or self.client_files
        ours = {} if shown is None else {"client_cert": shown.cert, "client_key": shown.key}
        return Client(self.address, tls=True, server_cert=(ca or self.ca).path, **ours)

    def channel(self) -> grpc.Channel:
        shown = self.client_files
        pair = () if shown is None else (shown.key.read_bytes(), shown.cert.read_bytes())
        return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(self.ca.path.read_bytes(), *pair))

    def assert_well(self) -> None:
        """A good request is answered, and the probes."""
        with self.client() as client, self.channel() as channel:
            assert client.infer("m", X)["y"].tolist() == [1, 1]
            assert client.live()
            assert client.ready()
            assert client.ready("m")
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
            assert health.status == health_pb2.HealthCheckResponse.SERVING

    def shown(self) -> str:
        """The certificate that a new connection gets to see, as PEM."""
        context = ssl.create_default_context(cafile=self.ca.path)
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", self.server.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("tls"), mutual=False)
    yield secured
    assert secured.server.stop() == 0


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("mutual"), mutual=True)
    yield secured
    assert secured.server.stop() == 0


@pytest.fixture(autouse=True)
def whatever_happened_all_is_well_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    secured = [request.getfixturevalue(name) for name in ("tls", "mutual") if name in request.fixturenames]
    yield
    for one in secured:
        one.assert_well()


# TLS


def test_who_trusts_the_server_is_answered(tls: Secured) -> None:
    tls.assert_well()


def test_tritonclient_is_answered_too(tls: Secured) -> None:
    with tritonclient.grpc.InferenceServerClient(tls.address, ssl=True, root_certificates=str(tls.ca.path)) as client:
        given = tritonclient.grpc.InferInput("x", [2], "FP32")
        given.set_data_from_numpy(X)
        assert client.infer("m", [given]).as_numpy("y").tolist() == [1, 1]


def test_who_trusts_somebody_else_refuses_the_server(tls: Secured, tmp_path: Path) -> None:
    with tls.client(Authority(tmp_path)) as client, pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
        client.live()


def test_plain_text_is_refused(tls: Secured) -> None:
    with Client(tls.address) as client, pytest.raises(ConnectionFailed):
        client.live()


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [
        pytest.param(ssl.TLSVersion.TLSv1_1, False, marks=pytest.mark.filterwarnings("ignore::DeprecationWarning")),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_1_2_is_the_least(tls: Secured, version: ssl.TLSVersion, *, is_taken: bool) -> None:
    context = ssl.create_default_context(cafile=tls.ca.path)
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else our own side would refuse TLS 1.1
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", tls.server.port)) as plain:
        if is_taken:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                assert connection.version() == version.name.replace("_", ".")
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(plain, server_hostname="localhost")


def test_a_certificate_that_is_replaced_costs_no_request(tls: Secured) -> None:
    ended, answers = threading.Event(), 0

    def ask(client: Client) -> None:
        nonlocal answers
        while not ended.is_set():
            assert client.infer("m", {"x": X})["y"].tolist() == [1, 1]
            answers += 1

    with tls.client() as old:
        old.live()
        before = tls.shown()
        asking = threading.Thread(target=ask, args=(old,))
        asking.start()
        for number in range(5):
            renewed = tls.ca.issue(f"renewed{number}")
            replace(tls.files, renewed)
            assert renewed.cert.read_text() == tls.shown() != before
            tls.assert_well()
        ended.set()
        asking.join()
        assert answers > 0
        assert old.live()


def test_an_expired_certificate_is_refused_by_clients_until_a_good_one_comes(tls: Secured) -> None:
    replace(tls.files, tls.ca.issue("late", expired=True))
    with tls.client() as client, pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
        client.live()
    replace(tls.files, tls.ca.issue("good"))
    tls.assert_well()


def test_a_new_certificate_that_is_wrong_leaves_the_old_one_in_force(tls: Secured) -> None:
    before, good = tls.shown(), tls.files.cert.read_bytes()
    tls.files.cert.write_text("junk")
    assert [tls.shown() for _ in range(3)] == [before] * 3
    tls.files.cert.unlink()
    assert tls.shown() == before
    tls.files.cert.write_bytes(good)
    tls.assert_well()
    assert tls.server.log.count(f"--tls_cert {tls.files.cert} holds no PEM certificate") == 1
    assert tls.server.log.count(f"--tls_cert {tls.files.cert}: No such file or directory") == 1


# Mutual TLS


def test_who_shows_a_certificate_is_answered(mutual: Secured) -> None:
    mutual.assert_well()


def test_who_shows_none_is_refused(mutual: Secured) -> None:
    with Client(mutual.address, tls=True, server_cert=mutual.ca.path) as client, pytest.raises(ConnectionFailed):
        client.live()


def test_who_shows_one_of_somebody_else_is_refused(mutual: Secured, tmp_path: Path) -> None:
    with mutual.client(show=Authority(tmp_path).issue("client")) as client, pytest.raises(ConnectionFailed):
        client.live()


def test_who_shows_an_expired_one_is_refused(mutual: Secured) -> None:
    with mutual.client(show=mutual.ca.issue("late", expired=True)) as client, pytest.raises(ConnectionFailed):
        client.live()


def test_another_authority_counts_for_whoever_comes_next(mutual: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    theirs, trusted = other.issue("client"), mutual.ca.path.read_bytes()
    with mutual.client() as old:
        old.live()
        mutual.ca.path.write_bytes(trusted + other.path.read_bytes())
        with mutual.client(show=theirs) as client:
            assert client.live()
        mutual.ca.path.write_bytes(trusted)
        with mutual.client(show=theirs) as client, pytest.raises(ConnectionFailed):
            client.live()
        assert old.live()


# The start


def test_files_that_do_not_belong_together_end_the_start(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    one, other = ca.issue("one"), ca.issue("other")
    pair = ("--tls_cert", str(one.cert), "--tls_key", str(other.key))
    small_models.save(small_models.add_one([2]), tmp_path / "r/m/1")
    ended = run_ovserve("--model_repository", str(tmp_path / "r"), "--port", "auto", *pair)
    assert (ended.returncode, ended.stdout) == (CANNOT_SERVE, "")
    assert ended.stderr.splitlines()[-1] == (
        f"ovserve: --tls_cert {one.cert} and --tls_key {other.key} do not belong together"
    )


def test_a_certificate_without_key_is_wrong_usage() -> None:
    ended = run_ovserve("--model_repository", "r", "--tls_cert", "c")
    assert (ended.returncode, ended.stdout) == (WRONG_USAGE, "")
    assert ended.stderr == "ovserve: --tls_cert needs --tls_key, the certificate's private key\n"


def test_the_demo_minds_no_keys_and_certificates_of_the_environment(tmp_path: Path) -> None:
    locked = {"API_KEY": "k", "OVSERVE_TLS_CERT": "/nowhere", "OVSERVE_GRPC_SERVER_KEY": "/nowhere"}
    ended = run_ovserve("demo", "--output_dir", str(tmp_path), env=locked)
    assert ended.returncode == 0, ended.stderr
