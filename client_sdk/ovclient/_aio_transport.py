"""The seam between the calls of `AsyncClient` and the protocol that carries them."""

from typing import Any, Protocol

from ovclient._aio_grpc import AsyncGrpcTransport
from ovclient._settings import Settings


class AsyncTransport(Protocol):
    """Carries calls; all tasks of one event loop may use it."""

    async def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        """Send the message of KServe's RPC `rpc` and return the answer's; raises an `OVClientError`."""

    async def close(self) -> None:
        """Close the connections; calls under way fail with `ClientClosed`."""


def async_transport(settings: Settings) -> AsyncTransport:
    """The one that the address asks for; raises `InvalidSetup`."""
    if not settings.is_rest:
        return AsyncGrpcTransport(settings)
    from ovclient._aio_rest import AsyncRestTransport  # noqa: PLC0415 - who speaks gRPC need not pay for HTTP

    return AsyncRestTransport(settings)
