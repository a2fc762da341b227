from collections.abc import Callable
from functools import partial
from typing import Any

from ovclient._client import Client

_INFER = "/inference.GRPCInferenceService/ModelInfer"


class RawClient(Client):
    """A client that sends one finished message again and again and leaves the answers unread."""

    def asker(self, message: bytes) -> Callable[[], bytes]:
        """Send `message` and wait for the answer, whose bytes nobody parses; raises gRPC's own errors."""
        call = self._channel.unary_unary(_INFER, request_serializer=None, response_deserializer=None)
        return partial(call, message, timeout=self._deadline_s(None), metadata=self._metadata)

    def explain(self, failure: Any) -> str:
        return str(self._error(failure, self._deadline_s(None)))
