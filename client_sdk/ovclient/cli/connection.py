from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from ovclient._base import LOAD_TIMEOUT_S
from ovclient._client import Client


@Parameter(name="*", group="Server")
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How every command finds its server."""

    grpc_address: str = "localhost"
    """Host name or IP address of the server."""
    grpc_port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = 9000
    """Its gRPC port."""
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
        bare_ipv6 = ":" in self.grpc_address and not self.grpc_address.startswith("[")
        host = f"[{self.grpc_address}]" if bare_ipv6 else self.grpc_address
        return {
            "address": f"{host}:{self.grpc_port}",
            "tls": self.tls,
            "server_cert": self.server_cert,
            "client_cert": self.client_cert,
            "client_key": self.client_key,
            "api_key": self.api_key,
            "timeout": self.timeout,
        }


@Parameter(name="*", group="Server")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadConnection(Connection):
    """For commands that may take minutes."""

    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = LOAD_TIMEOUT_S
    """Seconds to wait until it is done."""


DEFAULT = Connection()
JsonFlag = Annotated[bool, Parameter(name="--json")]
