"""The seam between a client's calls and the protocol that carries them."""

from typing import Any, Protocol

from ovclient._grpc import GrpcTransport
from ovclient._settings import Settings


class Transport(Protocol):
    """Carries calls; any number of threads may use it."""

    def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        """Send the message of KServe's RPC `rpc` and return the answer's; raises an `OVClientError`."""

    def close(self) -> None:
        """Close the connections; calls under way fail with `ClientClosed`."""


def transport(settings: Settings) -> Transport:
    """The one that the address asks for; raises `InvalidSetup`."""
    if not settings.is_rest:
        return GrpcTransport(settings)
    from ovclient._rest import RestTransport  # noqa: PLC0415 - who speaks gRPC need not pay for HTTP

    return RestTransport(settings)
