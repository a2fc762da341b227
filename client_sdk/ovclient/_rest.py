"""The transport over HTTP/1.1."""

import time
from typing import Any

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from ovclient._errors import ClientClosed, OVClientError
from ovclient._rest_failures import failure_of, late
from ovclient._rest_messages import HttpAnswer, HttpRequest
from ovclient._rest_pool import Opened, pool
from ovclient._rest_setup import RestSetup
from ovclient._settings import Settings

_CHUNK_BYTES = 1 << 20
_JOINED_BYTES = 1 << 16  # what is shorter goes in one packet
_LONGEST_S = 1e6  # sockets count milliseconds in 32 bits


class RestTransport:
    """Sends a call's message as HTTP and returns the answer's; raises an `OVClientError`."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self.setup = RestSetup(settings)
        self._opened = Opened()
        self._pool = pool(self.setup.place, settings, self._opened)
        self._closed = False

    def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        return self.setup.message(rpc, self.exchange(self.setup.request(rpc, request, timeout_s), timeout_s))

    def exchange(self, request: HttpRequest, timeout_s: float | None) -> HttpAnswer:
        """Send it, and read what is answered, a refusal too."""
        if self._closed:
            raise ClientClosed("the client is closed")
        ends_s = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            response = self._send(request, timeout_s)
            try:
                answer = self._read(response, ends_s, timeout_s)
            except BaseException:
                response.close()  # what is left of an answer must not become the next one's
                raise
            response.release_conn()
        except OVClientError:  # some are OSErrors
            raise
        except (HTTPError, OSError) as error:
            if self._closed:
                raise ClientClosed("the client was closed during the call") from None
            raise failure_of(error, self._address, timeout_s) from None
        return answer

    def close(self) -> None:
        self._closed = True
        self._pool.close()
        self._opened.end()

    def _send(self, request: HttpRequest, timeout_s: float | None) -> BaseHTTPResponse:
        return self._pool.urlopen(
            request.method,
            request.path,
            b"".join(request.body) if request.body_bytes <= _JOINED_BYTES else request.body,
            request.headers,
            retries=False,  # a request may have had its effect
            redirect=False,
            timeout=Timeout(total=None if timeout_s is None else min(timeout_s, _LONGEST_S)),
            preload_content=False,
            decode_content=False,
        )

    def _read(self, response: BaseHTTPResponse, ends_s: float | None, timeout_s: float | None) -> HttpAnswer:
        body = self.setup.body(response.headers)
        while chunk := response.read1(_CHUNK_BYTES):
            body.add(chunk)
            if ends_s is not None and time.monotonic() > ends_s:
                raise late(self._address, timeout_s)
        return body.answer(response.status)
