"""A stream of ModelStreamInfer that any number of finished requests are sent through."""

import threading
from itertools import count
from queue import SimpleQueue
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2 as pb

from ovclient._errors import BadResponse, ClientClosed, OVClientError
from ovclient._grpc import GrpcTransport
from ovclient._settings import Settings
from ovclient._status import failed
from ovclient.bench.raw_client import RawGrpcClient

_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"


class Listener(Protocol):
    """Who is told what comes through a stream, in the thread that reads it."""

    def answered(self, name: str, error: str) -> None:
        """The request of this id has an answer, which is an error where one is told."""

    def ended(self, failure: OVClientError) -> None:
        """Nothing comes any more."""


class RawStreamClient(RawGrpcClient):
    """Opens its stream with the first request; one thread reads it, and tells the `listener` of that moment.

    `grpc.aio` costs as much, and says INTERNAL of a stream that ends while something is sent, whatever its status is.
    """

    def _connect(self, settings: Settings) -> None:
        self._transport = self._grpc = GrpcTransport(settings)
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._names = map(str, count())
        self._is_open = False
        self.end: OVClientError | None = None
        self.listener: Listener | None = None

    @property
    def timeout_s(self) -> float | None:
        return self._deadline_s(None)

    def name(self) -> str:
        """An id that no request of this stream has had."""
        return next(self._names)

    def send(self, data: bytes) -> None:
        """Have a message sent; by one thread at a time."""
        self._requests.put(data)
        if not self._is_open:
            self._is_open = True
            threading.Thread(target=self._read, name="ovclient-bench-stream", daemon=True).start()

    def close(self) -> None:
        self._requests.put(None)
        super().close()

    def _read(self) -> None:
        end: OVClientError = ClientClosed("the stream has ended")
        try:
            call = self._grpc.channel.stream_stream(_STREAM, request_serializer=None, response_deserializer=None)
            self._hear(call(iter(self._requests.get, None), metadata=self._grpc.setup.metadata))
        except grpc.RpcError as failure:
            end = failed(failure, self.address, None)
        except DecodeError:
            end = BadResponse(f"the answer of {self.address} is no message of this protocol")
        except ValueError:  # gRPC's word for a closed channel
            end = ClientClosed("the client is closed")
        self.end = end
        if (listener := self.listener) is not None:
            listener.ended(end)

    def _hear(self, call: Any) -> None:
        for data in call:
            answer = pb.ModelStreamInferResponse.FromString(data)
            if (listener := self.listener) is not None:
                listener.answered(answer.infer_response.id, answer.error_message)
