"""A connection to an HTTP server, for asyncio."""

import asyncio
import math
import time
from collections.abc import Iterator
from typing import cast

from urllib3.util.wait import wait_for_read

from ovclient._aio_answer import AnswerReader
from ovclient._errors import OVClientError
from ovclient._rest_idle import is_fresh
from ovclient._rest_messages import HttpAnswer, HttpRequest

_CHUNK_BYTES = 1 << 18  # sent at a time, so that other tasks have their turn
_JOINED_BYTES = 1 << 16  # what is shorter goes in one packet


class Connection(asyncio.Protocol):
    """One exchange at a time; `lost` is done when it has ended."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._reader: AnswerReader | None = None
        self._failure: Exception | None = None
        self._answered_s = math.inf
        self._is_whole = True
        self._told = asyncio.Event()  # an answer or a failure
        self._writable = asyncio.Event()
        self._writable.set()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_usable(self) -> bool:
        """Whether the last request was answered in full, not long ago, and nothing came since."""
        if self._failure is not None or not self._is_whole or self._transport.is_closing():
            return False
        return is_fresh(self._answered_s) and not wait_for_read(self._transport.get_extra_info("socket"), timeout=0)

    async def exchange(self, request: HttpRequest, reader: AnswerReader) -> HttpAnswer:
        """Send it and return the answer; raises an `OVClientError`, or an `OSError` where the connection was lost."""
        self._reader, self._is_whole = reader, False
        self._told.clear()
        await self._send(request)
        await self._told.wait()
        self._reader = None
        if reader.answer is None:
            raise self._failure or ConnectionResetError("it was ended")
        self._is_whole = self._is_sent and reader.keeps
        self._answered_s = time.monotonic()
        return reader.answer

    def end(self) -> None:
        """At once; an exchange under way fails."""
        self._transport.abort()

    async def _send(self, request: HttpRequest) -> None:
        self._is_sent = False
        head = _head(request, self._host)
        if request.body_bytes <= _JOINED_BYTES:
            self._transport.write(b"".join((head, *request.body)))
            self._is_sent = True
            return
        for piece in _pieces(head, request.body):
            self._transport.write(piece)
            await self._writable.wait()
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the loop looks for an answer in the first turn and reads it before the second
            if self._told.is_set():  # refused before all of it was there, or lost
                return
        self._is_sent = True

    def _tell(self, failure: Exception | None = None) -> None:
        self._failure = self._failure or failure
        self._told.set()
        self._writable.set()

    # asyncio's methods

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._told.is_set():  # nobody asked for it
            self._tell(ConnectionAbortedError("more came than was asked for"))
            self.end()
            return
        try:
            self._reader.feed(data)
        except OVClientError as error:
            self._tell(error)
            self.end()
        else:
            if self._reader.answer is not None:
                self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        failure = error
        if self._reader is not None and not self._told.is_set() and error is None:
            try:
                self._reader.end()
            except (OVClientError, OSError) as broken:
                failure = broken
        self._tell(failure)
        if not self.lost.done():
            self.lost.set_result(None)


def _head(request: HttpRequest, host: str) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _pieces(head: bytes, body: tuple[bytes, ...]) -> Iterator[bytes | memoryview]:
    yield head
    for part in body:
        for start in range(0, len(part), _CHUNK_BYTES):
            yield memoryview(part)[start : start + _CHUNK_BYTES]
