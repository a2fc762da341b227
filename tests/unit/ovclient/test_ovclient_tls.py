from pathlib import Path

import grpc
import pytest
import trustme

from ovclient import Client, ConnectionFailed, InvalidSetup
from ovclient.testing import FakeServer


class Certificates:
    """A CA, a server's and a client's certificate, as PEM files."""

    def __init__(self, folder: Path) -> None:
        ca = trustme.CA()
        server, user = ca.issue_cert("localhost"), ca.issue_cert("user@example.org")
        self.ca, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        ca.cert_pem.write_to_path(str(self.ca))
        user.cert_chain_pems[0].write_to_path(str(self.cert))
        user.private_key_pem.write_to_path(str(self.key))
        self._ca_pem = ca.cert_pem.bytes()
        self._pair = (server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())

    def server(self, *, mutual: bool = False) -> FakeServer:
        roots = self._ca_pem if mutual else None
        return FakeServer(grpc.ssl_server_credentials([self._pair], roots, require_client_auth=mutual))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_a_server_whose_certificate_is_trusted_answers(certificates: Certificates) -> None:
    with certificates.server() as server, Client(server.address, tls=True, server_cert=certificates.ca) as client:
        assert client.live()


def test_a_server_whose_certificate_is_not_trusted_is_refused(certificates: Certificates) -> None:
    with (
        certificates.server() as server,
        Client(server.address, tls=True) as client,
        pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.live()


def test_plain_text_to_a_tls_server_is_refused(certificates: Certificates) -> None:
    with (
        certificates.server() as server,
        Client(server.address) as client,
        pytest.raises(ConnectionFailed, match=f"could not connect to {server.address}"),
    ):
        client.live()


def test_mutual_tls_takes_the_clients_certificate(certificates: Certificates) -> None:
    pems = {"server_cert": certificates.ca, "client_cert": certificates.cert, "client_key": certificates.key}
    with certificates.server(mutual=True) as server, Client(server.address, tls=True, **pems) as client:
        assert client.live()


def test_mutual_tls_refuses_a_client_without_certificate(certificates: Certificates) -> None:
    with (
        certificates.server(mutual=True) as server,
        Client(server.address, tls=True, server_cert=certificates.ca) as client,
        pytest.raises(ConnectionFailed),
    ):
        client.live()


def test_a_file_that_is_no_certificate_is_refused_at_once(certificates: Certificates, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(InvalidSetup, match=r"server_cert: .*junk\.pem holds no PEM certificate"):
        Client(tls=True, server_cert=junk)
    with pytest.raises(InvalidSetup, match=r"client_key: .* holds no PEM private key"):
        Client(tls=True, client_cert=certificates.cert, client_key=certificates.cert)
