"""A stream of ModelStreamInfer that any number of finished requests are sent through, in one thread."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from itertools import count
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2 as pb

from ovclient._base import BaseClient
from ovclient._errors import BadResponse, ClientClosed, OVClientError
from ovclient._grpc import GrpcSetup
from ovclient._settings import Settings
from ovclient._status import failed

_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"

T = TypeVar("T")


class Listener(Protocol):
    """Who is told what comes through a stream."""

    def answered(self, name: str, error: str) -> None:
        """The request of this id has an answer, which is an error where one is named."""

    def ended(self, failure: OVClientError) -> None:
        """Nothing comes any more."""


class RawStreamClient(BaseClient):
    """Opens its stream with the first request; `send` belongs into what `run` runs, `cut` into any thread."""

    def _connect(self, settings: Settings) -> None:
        self._setup = GrpcSetup(settings)
        self._loop = asyncio.new_event_loop()
        self._channel: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._unsent: deque[bytes] = deque()
        self._has_unsent = asyncio.Event()
        self._names = map(str, count())
        self.end: OVClientError | None = None
        self.listener: Listener | None = None

    @property
    def timeout_s(self) -> float | None:
        return self._deadline_s(None)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def name(self) -> str:
        """An id that no request of this stream has had."""
        return next(self._names)

    def send(self, data: bytes) -> None:
        if self._channel is None:
            self._open()
        self._unsent.append(data)
        self._has_unsent.set()

    def cut(self) -> None:
        """End the stream, from any thread."""
        self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        """While nothing runs."""
        self._loop.run_until_complete(self._close())
        self._loop.close()

    def _open(self) -> None:
        self._channel = self._setup.channel(grpc.aio)
        call = self._channel.stream_stream(_STREAM)(metadata=self._setup.metadata)
        self._tasks = [self._loop.create_task(self._write(call)), self._loop.create_task(self._read(call))]

    def _cut(self) -> None:
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            self._tell(ClientClosed("the client is closed"))

    async def _close(self) -> None:
        self._cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close(None)

    async def _write(self, call: Any) -> None:
        """Does not wait for answers: what is read meanwhile is sent at once, and the fewer times threads change."""
        try:
            while True:
                while self._unsent:
                    await call.write(self._unsent.popleft())
                self._has_unsent.clear()
                await self._has_unsent.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # whoever reads knows why

    async def _read(self, call: Any) -> None:
        end: OVClientError = ClientClosed("the stream has ended")
        try:
            while isinstance(data := await call.read(), bytes):  # and gRPC's own word at the end
                answer = pb.ModelStreamInferResponse.FromString(data)
                if self.listener is not None:
                    self.listener.answered(answer.infer_response.id, answer.error_message)
        except grpc.aio.AioRpcError as failure:
            end = failed(failure, self.address, None)
        except DecodeError:
            end = BadResponse(f"the answer of {self.address} is no message of this protocol")
        except asyncio.CancelledError:
            end = ClientClosed("the client was closed during the call")
        self._tell(end)

    def _tell(self, end: OVClientError) -> None:
        self.end = self.end or end
        if self.listener is not None:
            self.listener.ended(self.end)
