"""Connections of asyncio's that are kept for the next call."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from ovclient._aio_connection import Connection
from ovclient._errors import ConnectionFailed
from ovclient._rest_address import RestAddress
from ovclient._rest_tls import context
from ovclient._settings import Settings

MOST = 100
"""Calls at a time; more wait within their timeout, or thousands of tasks would use up the process's files."""


class AsyncPool:
    """A connection for each call at a time, kept afterwards."""

    def __init__(self, place: RestAddress, settings: Settings) -> None:
        self._place = place
        self._address = settings.address
        self._tls = context(settings) if place.is_tls else None
        self._turns = asyncio.Semaphore(MOST)
        self._resting: list[Connection] = []
        self._opened: set[Connection] = set()
        self._ended = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One that is the caller's until it leaves; raises `ConnectionFailed`."""
        async with self._turns:
            self._check()
            connection = self._rested() or await self._open()
            try:
                yield connection
            except BaseException:
                connection.end()  # what is left of an answer must not become the next one's
                raise
            if connection.is_usable:
                self._resting.append(connection)
            else:
                connection.end()

    async def end(self) -> None:
        """End all connections; exchanges under way fail."""
        self._ended = True
        for connection in list(self._opened):
            connection.end()
        if self._opened:
            await asyncio.wait([connection.lost for connection in self._opened])

    def _rested(self) -> Connection | None:
        while self._resting:
            connection = self._resting.pop()
            if connection.is_usable:
                return connection
            connection.end()
        return None

    async def _open(self) -> Connection:
        place = self._place
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(place.authority), place.host.strip("[]"), place.port, ssl=self._tls
            )
        except (OSError, ValueError) as error:  # a name that cannot be is a ValueError
            sentence = f"could not connect to {self._address}: {_reason(error)}"
            raise ConnectionFailed(sentence, grpc.StatusCode.UNAVAILABLE) from None
        self._opened.add(connection)
        connection.lost.add_done_callback(lambda _: self._opened.discard(connection))
        try:
            self._check()
        except ConnectionAbortedError:
            connection.end()
            raise
        return connection

    def _check(self) -> None:
        if self._ended:
            raise ConnectionAbortedError("too late")


def _reason(error: Exception) -> str:
    """The system's sentence, without asyncio's list of what it tried."""
    tried = re.search(r"\[Errno (\d+)\]", str(error))
    if tried is None or isinstance(error, ssl.SSLError):
        return str(error) or type(error).__name__
    return f"{tried[0]} {os.strerror(int(tried[1]))}"
