"""Certificate files to gRPC credentials."""

from os import PathLike
from pathlib import Path

import grpc

from ovclient._errors import InvalidSetup

PathText = str | PathLike[str]


def credentials(
    server_cert: PathText | None, client_cert: PathText | None, client_key: PathText | None
) -> grpc.ChannelCredentials:
    """Credentials that trust `server_cert` (without it: gRPC's public authorities) and show `client_cert`, if any."""
    roots, chain, key = check_files(server_cert, client_cert, client_key)
    return grpc.ssl_channel_credentials(roots, key, chain)


def check_files(
    server_cert: PathText | None, client_cert: PathText | None, client_key: PathText | None
) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Read what the files hold; raises `InvalidSetup` where one cannot be read, holds something else or is missing."""
    if (client_cert is None) != (client_key is None):
        missing = "client_key" if client_key is None else "client_cert"
        raise InvalidSetup(f"client_cert and client_key belong together: {missing} is missing")
    roots = _pem("server_cert", server_cert, "CERTIFICATE")
    key = _pem("client_key", client_key, "PRIVATE KEY")
    return roots, _pem("client_cert", client_cert, "CERTIFICATE"), key


def _pem(what: str, path: PathText | None, kind: str) -> bytes | None:
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InvalidSetup(f"{what}: cannot read {path}: {error.strerror}") from error
    if f"{kind}-----".encode() not in content:  # gRPC itself would only fail at the first call, and say little
        raise InvalidSetup(f"{what}: {path} holds no PEM {kind.lower()}")
    return content
