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
    if (client_cert is None) != (client_key is None):
        missing = "client_key" if client_key is None else "client_cert"
        raise InvalidSetup(f"client_cert and client_key belong together: {missing} is missing")
    return grpc.ssl_channel_credentials(
        _pem("server_cert", server_cert, "CERTIFICATE"),
        _pem("client_key", client_key, "PRIVATE KEY"),
        _pem("client_cert", client_cert, "CERTIFICATE"),
    )


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
