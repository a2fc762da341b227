"""HTTP/1.1 as uvicorn speaks it, with bounds on what it leaves unbounded."""

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ovserve.frontends.rest.body import PATIENCE_S

_MOST_HEAD_BYTES = 64 * 1024
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:", re.IGNORECASE)


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and headers do not arrive within `patience_s`, or are too long."""

    def __init__(self, *arguments: Any, patience_s: float = PATIENCE_S, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience_s = patience_s
        self._slow: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._slow is None:
                self._await_head()
            data = _without_upgrade(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._slow = self.loop.call_later(self._patience_s, self._is_slow)

    def _is_slow(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._await_head()  # the next request has begun while the one before is being answered
        else:
            self._refuse(b"408 Request Timeout")

    def _stop_waiting(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _refuse(self, status: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """Pass over the offer of another protocol, as HTTP allows: the parser would take the body for that protocol's.

    Java's own client, for one, offers HTTP/2 with every request.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + end + rest if _UPGRADE.search(head) else data
