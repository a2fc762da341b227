from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ovclient._calls import Call
from ovclient._client import Client
from ovclient._grpc import GrpcTransport
from ovclient._settings import Settings
from ovclient._status import failed

T = TypeVar("T")

_INFER = "/inference.GRPCInferenceService/ModelInfer"


class RawClient(Client):
    """A client that sends one finished message again and again over gRPC and leaves the answers unread."""

    def _connect(self, settings: Settings) -> None:
        self._transport = self._grpc = GrpcTransport(settings)

    def asker(self, message: bytes) -> Callable[[], bytes]:
        """Send `message` and wait for the answer, whose bytes nobody parses; raises gRPC's own errors."""
        call = self._grpc.channel.unary_unary(_INFER, request_serializer=None, response_deserializer=None)
        return partial(call, message, timeout=self._deadline_s(None), metadata=self._grpc.setup.metadata)

    def run(self, call: Call[T]) -> T:
        """Make a call that `Client` has no method for."""
        return self._run(call, None)

    def explain(self, failure: Any) -> str:
        return str(failed(failure, self.address, self._deadline_s(None)))
