"""The transport over gRPC."""

import ipaddress
import re
from typing import Any

import grpc
from tritonclient.grpc import service_pb2_grpc

from ovclient._errors import ClientClosed
from ovclient._key import authorization
from ovclient._settings import Settings
from ovclient._status import failed
from ovclient._tls import credentials


class GrpcSetup:
    """What a channel needs: certificates are read here, once. `metadata` goes with each call."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        files = settings.server_cert, settings.client_cert, settings.client_key
        self._credentials = credentials(*files) if settings.tls else None
        self._options = _options(settings.address, settings.max_message_bytes)
        self.metadata = authorization(settings.api_key)

    def channel(self, module: Any = grpc) -> Any:
        """A channel of `grpc` or `grpc.aio`, which opens no connection before the first call."""
        if self._credentials is None:
            return module.insecure_channel(self._address, self._options)
        return module.secure_channel(self._address, self._credentials, self._options)


class GrpcTransport:
    """Sends a call's message and returns the answer's; raises an `OVClientError`."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self.setup = GrpcSetup(settings)
        self.channel = self.setup.channel()
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        self._closed = False

    def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        try:
            return getattr(self._stub, rpc)(request, timeout=timeout_s, metadata=self.setup.metadata)
        except grpc.RpcError as failure:
            raise failed(failure, self._address, timeout_s) from None
        except ValueError:  # gRPC's word for a closed channel
            if not self._closed:
                raise
            raise ClientClosed("the client is closed") from None

    def close(self) -> None:
        self._closed = True
        self.channel.close()


def _options(address: str, max_message_bytes: int) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # Each client has connections of its own, and so never inherits another one's waiting time after a failure.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if is_local(address):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy cannot reach this machine's loopback
    return options


def is_local(address: str) -> bool:
    """Whether `address` never leaves this machine."""
    if re.match(r"unix(-abstract)?:", address):
        return True
    plain = re.sub(r"^(dns:(//[^/]*/)?|ipv4:|ipv6:)", "", address)
    host = plain[1:].partition("]")[0] if plain.startswith("[") else plain.rpartition(":")[0] or plain
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
