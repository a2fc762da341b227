from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from ovclient._base import LOAD_TIMEOUT_S
from ovclient._client import Client

_HTTP_PORT = 8000  # OVMS's clients'


@Parameter(name="*", group="Server")
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How every command finds its server."""

    grpc_address: str = "localhost"
    """Host name or IP address of the server."""
    grpc_port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = 9000
    """Its gRPC port."""
    http_address: Annotated[str | None, Parameter(show_default=False)] = None
    """Host name or IP address of the server, to ask it over REST instead of gRPC."""
    http_port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65535))] = None
    """Its REST port, to ask it over REST; 8000 if only --http_address is given."""
    tls: bool = False
    """Encrypt the connection."""
    server_cert: Path | None = None
    """PEM file of the authority to trust, for --tls."""
    client_cert: Path | None = None
    """PEM file of this client's certificate, for a server that asks for one."""
    client_key: Path | None = None
    """PEM file of its private key."""
    api_key: Annotated[str | None, Parameter(show_default=False)] = field(default=None, repr=False)
    """Key for a server that asks for one; as a variable no other user sees it."""
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 60.0
    """Seconds to wait for an answer."""

    def client(self) -> Client:
        return Client(**self.settings())

    def settings(self) -> dict[str, Any]:
        """The arguments of a `Client` of this server."""
        return {
            "address": self._rest_address() if self.is_rest else f"{_host(self.grpc_address)}:{self.grpc_port}",
            "tls": self.tls,
            "server_cert": self.server_cert,
            "client_cert": self.client_cert,
            "client_key": self.client_key,
            "api_key": self.api_key,
            "timeout": self.timeout,
        }

    @property
    def is_rest(self) -> bool:
        return self.http_address is not None or self.http_port is not None

    def _rest_address(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{_host(self.http_address or 'localhost')}:{self.http_port or _HTTP_PORT}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


@Parameter(name="*", group="Server")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadConnection(Connection):
    """For commands that may take minutes."""

    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = LOAD_TIMEOUT_S
    """Seconds to wait until it is done."""


DEFAULT = Connection()
JsonFlag = Annotated[bool, Parameter(name="--json")]
