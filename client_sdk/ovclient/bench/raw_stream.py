"""Clients of a benchmark that send through one stream of ModelStreamInfer."""

import threading
from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, cast

import grpc
from tritonclient.grpc import service_pb2 as pb

from ovclient._errors import ClientClosed, DeadlineExceeded, OVClientError, ServerFailure
from ovclient._grpc import GrpcTransport
from ovclient._settings import Settings
from ovclient._status import failed
from ovclient.bench.raw_client import Finished, RawGrpcClient

_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"

_Reply = SimpleQueue[OVClientError | None]


class RawStreamClient(RawGrpcClient):
    """One stream for any number of askers; each has one request under way, told by its id."""

    def _connect(self, settings: Settings) -> None:
        self._transport = self._grpc = GrpcTransport(settings)
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._replies: dict[str, _Reply] = {}
        self._names = map(str, count())
        self._lock = threading.Lock()
        self._end: OVClientError | None = None
        self._is_open = False

    def asker(self, request: Finished) -> Callable[[], object]:
        name, reply = next(self._names), _Reply()
        # A field that comes later in a message has the last word.
        data = cast("bytes", request) + pb.ModelInferRequest(id=name).SerializeToString()
        timeout_s = self._deadline_s(None)

        def ask() -> None:
            with self._lock:
                if self._end is not None:
                    raise self._end
                self._replies[name] = reply
                if not self._is_open:
                    self._is_open = True
                    threading.Thread(target=self._read, name="ovclient-bench-stream", daemon=True).start()
            self._requests.put(data)
            try:
                failure = reply.get(timeout=timeout_s)
            except Empty:
                raise DeadlineExceeded(f"{self.address}: no answer in {timeout_s:g} s") from None
            if failure is not None:
                raise failure

        return ask

    def close(self) -> None:
        self._requests.put(None)
        super().close()

    def _read(self) -> None:
        call = self._grpc.channel.stream_stream(_STREAM, request_serializer=None, response_deserializer=None)
        end: OVClientError = ClientClosed("the stream has ended")
        try:
            for data in call(iter(self._requests.get, None), metadata=self._grpc.setup.metadata):
                self._tell(pb.ModelStreamInferResponse.FromString(data))
        except grpc.RpcError as failure:
            end = failed(failure, self.address, None)
        except ValueError:  # gRPC's word for a closed channel
            pass
        with self._lock:
            self._end, replies = end, list(self._replies.values())
        for reply in replies:
            reply.put(end)

    def _tell(self, answer: Any) -> None:
        with self._lock:
            reply = self._replies.pop(answer.infer_response.id, None)
        if reply is not None:
            reply.put(ServerFailure(answer.error_message) if answer.error_message else None)
