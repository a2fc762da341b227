"""The certificates that a server shows and those it asks for, read again when their files change."""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from ovserve.errors import CannotStart, OVServeError
from ovserve.observability.logs import get_logger
from ovserve.security.fingerprint import fingerprint, read_bounded

_MOST_BYTES = 1 << 20

logger = get_logger("ovserve.security")


class WrongCertificate(OVServeError):
    """The files are no certificates that a server can show; the sentence names flag and file."""


class Replaced(OVServeError):
    """A file was replaced while it was read."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files: the server's chain, its private key and, where clients must show a certificate, who signs theirs."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(filter(None, (self.cert, self.key, self.client_ca)))


@dataclass(frozen=True, slots=True)
class Pair:
    """The contexts made of files that belong together: for HTTP/1.1, and for gRPC, which speaks HTTP/2."""

    context: ssl.SSLContext
    grpc_context: ssl.SSLContext


class Certificates:
    """The pair in force; files that change to something wrong leave the old one in force, with one line in the log.

    Raises `CannotStart`.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._looking = threading.Lock()
        self._seen = fingerprint(files.paths)
        try:
            self._pair = _read(files)
        except WrongCertificate as error:
            raise CannotStart(str(error)) from error
        except Replaced as error:
            raise CannotStart(f"--tls_cert {files.cert} or what belongs to it was replaced at this moment") from error

    @property
    def asks_clients(self) -> bool:
        return self._files.client_ca is not None

    def current(self) -> Pair:
        """Return the same object as long as the files do not change; never raises."""
        with self._looking:
            now = fingerprint(self._files.paths)
            if now != self._seen:
                self._look_again()
            return self._pair

    def ssl_context(self) -> ssl.SSLContext:
        """Make the context of a listening socket: each new connection gets the pair that is in force then."""
        outer = _context(self._files)

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
            connection.context = self.current().context

        outer.sni_callback = choose
        return outer

    def _look_again(self) -> None:
        now = fingerprint(self._files.paths)
        try:
            self._pair = _read(self._files)
        except Replaced:
            return  # the next connection looks again
        except WrongCertificate as error:
            logger.warning("the new certificate is refused, the one before stays in force", reason=str(error))
        else:
            logger.info("certificate read again", tls_cert=str(self._files.cert))
        self._seen = now


def _read(files: CertificateFiles) -> Pair:
    before = fingerprint(files.paths)
    _pem("--tls_cert", files.cert, b"CERTIFICATE-----")
    _pem("--tls_key", files.key, b"PRIVATE KEY-----")
    if files.client_ca is not None:
        _pem("--tls_client_ca", files.client_ca, b"CERTIFICATE-----")
    pair = Pair(_context(files), _context(files))
    pair.grpc_context.set_alpn_protocols(["h2"])
    if fingerprint(files.paths) != before:
        raise Replaced
    return pair


def _pem(flag: str, path: Path, mark: bytes) -> None:
    try:
        content = read_bounded(path, _MOST_BYTES)
    except OSError as error:
        raise WrongCertificate(f"{flag} {path}: {error.strerror}") from error
    except ValueError as error:
        raise WrongCertificate(f"{flag} {path}: {error}") from error
    if mark not in content:
        raise WrongCertificate(f"{flag} {path} holds no PEM {mark.decode().rstrip('-').lower()}")


def _context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET  # a resumed session would not see the certificates that are in force by then
    context.num_tickets = 0
    try:
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except _Encrypted as error:
        raise WrongCertificate(f"--tls_key {files.key} is encrypted: give a key without a password") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        if reason == "KEY_VALUES_MISMATCH":
            why = "do not belong together"
        else:
            why = f"cannot be used ({reason or 'they cannot be read'})"
        raise WrongCertificate(f"--tls_cert {files.cert} and --tls_key {files.key} {why}") from error
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except OSError as error:
            raise WrongCertificate(f"--tls_client_ca {files.client_ca} holds no readable certificate") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted  # without this OpenSSL would ask at the terminal, and wait
