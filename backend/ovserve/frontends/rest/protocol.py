"""HTTP/1.1 as uvicorn speaks it, with bounds on what it leaves unbounded."""

import asyncio
import re
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ovserve.frontends.rest.body import PATIENCE_S
from ovserve.frontends.rest.connections import Connections
from ovserve.frontends.rest.crowded import Crowded

_MOST_HEAD_BYTES = 64 * 1024
_WITHOUT_PLACE_S = 2.0
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:", re.IGNORECASE)


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and headers do not arrive within `patience_s`, or are too long.

    One that finds no place among `places` is answered once, as `Crowded` does.
    """

    def __init__(self, *arguments: Any, places: Connections, patience_s: float = PATIENCE_S, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._places = places
        self._patience_s = patience_s
        self._slow: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._places.enter(self):
            self._patience_s = min(self._patience_s, _WITHOUT_PLACE_S)
            self.app = Crowded(self.app, self._places.most)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._slow is None:
                self._await_head()
            data = _without_upgrade(data)
        super().data_received(data)
        if self._slow is None and self._is_answered:
            self._await_head()  # the rest of a body whose answer did not wait for it may never end
        if self._in_head and self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers exceed {_MOST_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        self._places.begin(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_answered:  # or else the next request, which had come already, is being answered
            self._places.end(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._places.leave(self)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words, in plain text
        """Refuse what is not HTTP, which no application gets to see."""
        self._refuse(HTTPStatus.BAD_REQUEST, "the request is not valid HTTP/1.1")

    def ask_to_leave(self) -> None:
        """Close, as soon as what was answered is sent."""
        self.transport.close()

    def throw_out(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _await_head(self) -> None:
        self._slow = self.loop.call_later(self._patience_s, self._is_slow)

    @property
    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _is_slow(self) -> None:
        if self.cycle is not None and not self._is_answered:
            self._await_head()  # the next request has begun while the one before is being answered
        elif self._is_answered and not (self._in_head and self._head_bytes):
            self.transport.close()  # there is no request to refuse
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"no whole request came within {self._patience_s:g} s")

    def _stop_waiting(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        if self.transport.is_closing():
            return
        body = orjson.dumps({"error": text})
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """Pass over the offer of another protocol, as HTTP allows: the parser would take the body for that protocol's.

    Java's own client, for one, offers HTTP/2 with every request.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + end + rest if _UPGRADE.search(head) else data
