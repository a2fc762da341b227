"""The transport over HTTP/1.1 for asyncio."""

import asyncio
from typing import Any

import grpc

from ovclient._aio_answer import AnswerReader
from ovclient._aio_pool import AsyncPool
from ovclient._errors import ClientClosed, ConnectionFailed, OVClientError
from ovclient._rest_failures import late
from ovclient._rest_messages import HttpAnswer, HttpRequest
from ovclient._rest_setup import RestSetup
from ovclient._settings import Settings


class AsyncRestTransport:
    """Sends a call's message as HTTP and returns the answer's; raises an `OVClientError`."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self._setup = RestSetup(settings)
        self._pool = AsyncPool(self._setup.place, settings)
        self._closed = False

    async def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        if self._closed:
            raise ClientClosed("the client is closed")
        answer = await self._exchange(self._setup.request(rpc, request, timeout_s), timeout_s)
        return self._setup.message(rpc, answer)

    async def close(self) -> None:
        self._closed = True
        await self._pool.end()

    async def _exchange(self, request: HttpRequest, timeout_s: float | None) -> HttpAnswer:
        timer = asyncio.timeout(timeout_s)
        try:
            async with timer, self._pool.connection() as connection:
                return await connection.exchange(request, AnswerReader(self._setup))
        except (OVClientError, OSError) as error:
            if self._closed:
                raise ClientClosed("the client was closed during the call") from None
            if timer.expired():
                raise late(self._address, timeout_s) from None
            if isinstance(error, OVClientError):
                raise
            reason = str(error) or type(error).__name__
            sentence = f"lost the connection to {self._address}: {reason}"
            raise ConnectionFailed(sentence, grpc.StatusCode.UNAVAILABLE) from None
