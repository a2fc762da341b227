"""Where clients come in, and what gRPC lets through."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ovserve.config.addresses import Addresses, Port, is_loopback, split
from ovserve.config.channel_arguments import parse_channel_arguments
from ovserve.config.names import also

GIB = 1 << 30
_MOST = 1_000_000


def _well_formed(text: str) -> str:
    parse_channel_arguments(text)
    return text


class Listening(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    port: Annotated[Port, also("grpc-port")] = Field(
        default=9000, description="gRPC port; auto picks a free one and prints it, 0 turns gRPC off."
    )
    grpc_bind_address: Annotated[Addresses, also("grpc-address")] = Field(
        default="127.0.0.1", description="Addresses to listen on, separated by commas; 0.0.0.0 opens to everybody."
    )
    grpc_max_message_bytes: int = Field(
        default=GIB, ge=1024, le=2 * GIB - 1, description="Largest gRPC message, in and out."
    )
    grpc_channel_arguments: Annotated[str, AfterValidator(_well_formed)] = Field(
        default="", description="Arguments of gRPC's server as NAME=VALUE,NAME=VALUE."
    )

    grpc_max_connections: int = Field(default=1000, ge=1, le=_MOST, description="Clients connected to gRPC at once.")
    grpc_max_concurrent_streams: int = Field(
        default=10_000,
        ge=1,
        le=_MOST,
        description="Calls at once on one gRPC connection; more wait or fail.",
    )

    @model_validator(mode="after")
    def _some_door(self) -> "Listening":
        if self.port == 0:
            raise ValueError("--port 0 turns gRPC off, and there is no other way in: give a port, or auto")
        return self

    @property
    def grpc_addresses(self) -> tuple[str, ...]:
        return split(self.grpc_bind_address)

    @property
    def channel_arguments(self) -> dict[str, str | int]:
        return parse_channel_arguments(self.grpc_channel_arguments)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask: every address is a loopback one."""
        return all(map(is_loopback, self.grpc_addresses))
