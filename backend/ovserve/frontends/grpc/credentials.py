"""Certificates -> gRPC's credentials."""

import grpc

from ovserve.security.certificates import Certificates, Pair


def credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Make the credentials of one port: each handshake asks for the pair that is in force then."""
    shown = certificates.current()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        pair = certificates.current()
        if pair is shown:
            return None
        shown = pair
        return _configuration(pair)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown),
        changed,  # type: ignore[arg-type] # None is for no change, which the stubs do not know
        require_client_authentication=certificates.asks_clients,
    )


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)], pair.client_ca)
