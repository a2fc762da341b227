"""The transport over gRPC for asyncio."""

import asyncio
from typing import Any

import grpc
from tritonclient.grpc import service_pb2_grpc

from ovclient._errors import ClientClosed
from ovclient._grpc import GrpcSetup
from ovclient._settings import Settings
from ovclient._status import failed


class AsyncGrpcTransport:
    """Sends a call's message and returns the answer's; raises an `OVClientError`."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self._setup = GrpcSetup(settings)
        self._stub: Any = None  # gRPC ties a channel to the running loop, which __init__ may not have yet
        self._closed = False

    async def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        try:
            return await getattr(self._opened(), rpc)(request, timeout=timeout_s, metadata=self._setup.metadata)
        except grpc.aio.AioRpcError as failure:
            raise failed(failure, self._address, timeout_s) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closed or (task is not None and task.cancelling()):
                raise  # the caller cancelled the task; gRPC says the same word for a closed channel
            raise ClientClosed("the client was closed during the call") from None

    async def close(self) -> None:
        self._closed = True
        if self._stub is not None:
            await self._channel.close(None)

    def _opened(self) -> Any:
        if self._closed:
            raise ClientClosed("the client is closed")
        if self._stub is None:
            self._channel = self._setup.channel(grpc.aio)
            self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        return self._stub
