"""Clients that send one finished request again and again and leave the answers unread."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import grpc

from ovclient._calls import Call
from ovclient._client import Client
from ovclient._errors import ClientClosed
from ovclient._grpc import GrpcTransport
from ovclient._rest_messages import HttpRequest
from ovclient._settings import Settings, is_rest
from ovclient._status import failed

T = TypeVar("T")

Finished = bytes | HttpRequest
"""A request as it is sent: gRPC's message, or HTTP's request."""

_INFER = "/inference.GRPCInferenceService/ModelInfer"


class RawClient(Protocol):
    """A client of a benchmark, which has a connection for itself."""

    def finish(self, message: Any) -> Finished:
        """The whole request of a `ModelInferRequest`."""

    def asker(self, request: Finished) -> Callable[[], object]:
        """What sends `request` and waits for the answer, whose status is all that is looked at.

        Raises an `OVClientError`.
        """

    def close(self) -> None: ...


def raw_client(settings: dict[str, Any]) -> RawClient:
    """The one that the address among a client's settings asks for; raises `InvalidSetup`."""
    return RawRestClient(**settings) if is_rest(settings["address"]) else RawGrpcClient(**settings)


def size_bytes(request: Finished) -> int:
    """Of the message, or of HTTP's body."""
    return request.body_bytes if isinstance(request, HttpRequest) else len(request)


class RawGrpcClient(Client):
    def _connect(self, settings: Settings) -> None:
        self._transport = self._grpc = GrpcTransport(settings)

    def asker(self, request: Finished) -> Callable[[], object]:
        call = self._grpc.channel.unary_unary(_INFER, request_serializer=None, response_deserializer=None)
        timeout_s = self._deadline_s(None)
        send = partial(call, request, timeout=timeout_s, metadata=self._grpc.setup.metadata)

        def ask() -> None:
            try:
                send()
            except grpc.RpcError as failure:
                raise failed(failure, self.address, timeout_s) from None
            except ValueError:  # gRPC's word for a closed channel
                raise ClientClosed("the client is closed") from None

        return ask

    def finish(self, message: Any) -> Finished:
        finished: bytes = message.SerializeToString()
        return finished

    def run(self, call: Call[T]) -> T:
        """Make a call that `Client` has no method for."""
        return self._run(call, None)


class RawRestClient(Client):
    def _connect(self, settings: Settings) -> None:
        from ovclient._rest import RestTransport  # noqa: PLC0415 - who speaks gRPC need not pay for HTTP

        self._transport = self._rest = RestTransport(settings)

    def asker(self, request: Finished) -> Callable[[], object]:
        timeout_s = self._deadline_s(None)

        def ask() -> None:
            self._rest.setup.check(self._rest.exchange(cast("HttpRequest", request), timeout_s))

        return ask

    def finish(self, message: Any) -> Finished:
        return self._rest.setup.request("ModelInfer", message, self._deadline_s(None))
