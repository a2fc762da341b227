"""Where clients come in, and how much they may send."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ovserve.config.addresses import Addresses, Port, is_loopback, split
from ovserve.config.channel_arguments import parse_channel_arguments
from ovserve.config.cors import CorsFlags
from ovserve.config.names import also
from ovserve.cores import usable_cores

GIB = 1 << 30
_MOST = 1_000_000


def _well_formed(text: str) -> str:
    parse_channel_arguments(text)
    return text


def _up_to_the_cores(count: int) -> int:
    cores = usable_cores()
    if not 1 <= count <= cores:
        raise ValueError(f"grpc_workers count should be from 1 to CPU core count : {cores}")
    return count


class Listening(CorsFlags):
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
        default="", description="Arguments of gRPC's servers as NAME=VALUE,NAME=VALUE."
    )

    grpc_max_connections: int = Field(default=1000, ge=1, le=_MOST, description="Clients connected to gRPC at once.")
    grpc_max_concurrent_streams: int = Field(
        default=10_000,
        ge=1,
        le=_MOST,
        description="Calls at once on one gRPC connection; more wait or fail.",
    )
    grpc_workers: Annotated[int, AfterValidator(_up_to_the_cores)] = Field(
        default=1, description="Processes that answer gRPC, each with models of its own."
    )
    rest_port: Annotated[Port, also("http-port")] = Field(
        default=0, description="REST port; auto picks a free one and prints it, 0 turns REST off."
    )
    rest_bind_address: Annotated[Addresses, also("http-address")] = Field(
        default="127.0.0.1", description="Addresses to listen on for REST, separated by commas."
    )
    rest_max_body_bytes: int = Field(
        default=GIB, ge=1024, le=2 * GIB - 1, description="Largest body of a REST request, also once decompressed."
    )
    rest_max_connections: int = Field(default=1000, ge=1, le=_MOST, description="Clients connected to REST at once.")

    @model_validator(mode="after")
    def _two_doors_at_most_and_one_at_least(self) -> "Listening":
        if self.port == 0 == self.rest_port:
            raise ValueError("--port 0 turns gRPC off, and there is no other way in: give a port or a --rest_port")
        if self.port == self.rest_port != "auto":
            raise ValueError("port and rest_port cannot have the same values")
        return self

    @property
    def processes(self) -> int:
        """How many processes serve."""
        return self.grpc_workers if self.port else 1

    @property
    def grpc_addresses(self) -> tuple[str, ...]:
        return split(self.grpc_bind_address)

    @property
    def rest_addresses(self) -> tuple[str, ...]:
        return split(self.rest_bind_address)

    @property
    def channel_arguments(self) -> dict[str, str | int]:
        return parse_channel_arguments(self.grpc_channel_arguments)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask: every address is a loopback one."""
        grpc = self.grpc_addresses if self.port else ()
        rest = self.rest_addresses if self.rest_port else ()
        return all(map(is_loopback, (*grpc, *rest)))
