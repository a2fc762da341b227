import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authority import Authority, Files, replace
from ovserve.errors import CannotStart
from ovserve.security.certificates import CertificateFiles, Certificates


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(ca: Authority) -> Files:
    return ca.issue("server")


@contextmanager
def listening(context: ssl.SSLContext) -> Iterator[int]:
    """Greet whoever comes in over TLS, until a connection comes after the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def greet() -> None:
            while True:
                plain, _ = server.accept()
                if ended.is_set():
                    plain.close()
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        connection.sendall(b"hello")
                except (ssl.SSLError, ConnectionError):
                    plain.close()

        thread = threading.Thread(target=greet)
        thread.start()
        port = server.getsockname()[1]
        try:
            yield port
        finally:
            ended.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def greeted(port: int, ca: Authority, *, show: Files | None = None, name: str = "localhost", **limits: object) -> bytes:
    """Connect and return the certificate that the server shows."""
    context = ssl.create_default_context(cafile=ca.path)
    for attribute, value in limits.items():
        setattr(context, attribute, value)
    if show is not None:
        context.load_cert_chain(show.cert, show.key)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        assert connection.recv(5) == b"hello"
        return connection.getpeercert(binary_form=True)


def of(files: Files) -> bytes:
    return ssl.PEM_cert_to_DER_cert(files.cert.read_text())


def test_the_context_shows_the_certificate(ca: Authority, files: Files) -> None:
    with listening(Certificates(CertificateFiles(files.cert, files.key)).ssl_context()) as port:
        assert greeted(port, ca) == of(files)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])  # with and without a server name in the handshake
def test_a_new_certificate_is_shown_to_whoever_comes_next(ca: Authority, files: Files, name: str) -> None:
    with listening(Certificates(CertificateFiles(files.cert, files.key)).ssl_context()) as port:
        before = greeted(port, ca, name=name)
        replace(files, ca.issue("next"))
        assert greeted(port, ca, name=name) == of(files) != before


def test_asyncios_servers_show_a_new_certificate_too(ca: Authority, files: Files) -> None:
    async def serve_and_ask() -> list[bytes]:
        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await writer.drain()
            writer.close()

        context = Certificates(CertificateFiles(files.cert, files.key, ca.path)).ssl_context()
        async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            seen = [await asyncio.to_thread(greeted, port, ca, show=ca.issue("client"))]
            replace(files, ca.issue("next"))
            return [*seen, await asyncio.to_thread(greeted, port, ca, show=ca.issue("client"))]

    before = of(files)
    assert asyncio.run(serve_and_ask()) == [before, of(files)]


def test_a_pair_that_does_not_belong_together_changes_nothing_and_is_told_once(
    ca: Authority, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(CertificateFiles(files.cert, files.key))
    before = certificates.current()
    files.cert.write_bytes(ca.issue("next").cert.read_bytes())
    with caplog.at_level(logging.INFO, "ovserve"):
        assert [certificates.current() for _ in range(3)] == [before] * 3
    (line,) = [record.getMessage() for record in caplog.records]
    assert "the new certificate is refused, the one before stays in force" in line
    assert "do not belong together" in line


def test_the_key_that_comes_after_its_certificate_completes_the_pair(ca: Authority, files: Files) -> None:
    certificates = Certificates(CertificateFiles(files.cert, files.key))
    following = ca.issue("next")
    files.cert.write_bytes(following.cert.read_bytes())
    before = certificates.current()
    files.key.write_bytes(following.key.read_bytes())
    assert certificates.current() is not before


def test_files_that_are_taken_away_change_nothing(files: Files) -> None:
    certificates = Certificates(CertificateFiles(files.cert, files.key))
    before = certificates.current()
    files.key.unlink()
    assert certificates.current() is before


def test_clients_must_show_a_certificate_of_the_authority_named(ca: Authority, files: Files, tmp_path: Path) -> None:
    context = Certificates(CertificateFiles(files.cert, files.key, ca.path)).ssl_context()
    with listening(context) as port:
        assert greeted(port, ca, show=ca.issue("client"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greeted(port, ca)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greeted(port, ca, show=Authority(tmp_path, "other").issue("client"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greeted(port, ca, show=ca.issue("late", expired=True))
        assert greeted(port, ca, show=ca.issue("client"))


def test_another_authority_for_clients_counts_for_whoever_comes_next(
    ca: Authority, files: Files, tmp_path: Path
) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(old.path.read_bytes())
    of_old, of_new = old.issue("client"), new.issue("client")
    with listening(Certificates(CertificateFiles(files.cert, files.key, trusted)).ssl_context()) as port:
        assert greeted(port, ca, show=of_old)
        trusted.write_bytes(new.path.read_bytes())
        assert greeted(port, ca, show=of_new)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greeted(port, ca, show=of_old)


def test_tls_1_2_is_the_least(ca: Authority, files: Files) -> None:
    with listening(Certificates(CertificateFiles(files.cert, files.key)).ssl_context()) as port:
        assert greeted(port, ca, maximum_version=ssl.TLSVersion.TLSv1_2)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises((ssl.SSLError, ConnectionError)):
            greeted(port, ca, minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_what_is_no_certificate_ends_the_start(ca: Authority, files: Files, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    other = ca.issue("other")
    torn = tmp_path / "torn.pem"
    torn.write_bytes(files.cert.read_bytes()[:200])
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
    nowhere = tmp_path / "nowhere"
    for wrong, sentence in (
        ((nowhere, files.key), f"--tls_cert {nowhere}: No such file or directory"),
        ((files.cert, nowhere), f"--tls_key {nowhere}: No such file or directory"),
        ((tmp_path, files.key), f"--tls_cert {tmp_path}: Is a directory"),
        ((junk, files.key), f"--tls_cert {junk} holds no PEM certificate"),
        ((files.cert, files.cert), f"--tls_key {files.cert} holds no PEM private key"),
        ((files.cert, other.key), f"--tls_cert {files.cert} and --tls_key {other.key} do not belong together"),
        ((torn, files.key), f"--tls_cert {torn} and --tls_key {files.key} cannot be used ("),
        ((files.cert, files.key, junk), f"--tls_client_ca {junk} holds no PEM certificate"),
        ((files.cert, files.key, torn), f"--tls_client_ca {torn} holds no readable certificate"),
        ((files.cert, encrypted), f"--tls_cert {files.cert} and --tls_key {encrypted} cannot be used ("),
    ):
        with pytest.raises(CannotStart) as refused:
            Certificates(CertificateFiles(*wrong))
        assert str(refused.value).startswith(sentence)


def test_an_encrypted_key_is_not_asked_about_at_the_terminal(ca: Authority, files: Files) -> None:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - trustme brings it

    key = form.load_pem_private_key(files.key.read_bytes(), None)
    secret = form.BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, secret))
    with pytest.raises(CannotStart, match="is encrypted: give a key without a password"):
        Certificates(CertificateFiles(files.cert, files.key))
