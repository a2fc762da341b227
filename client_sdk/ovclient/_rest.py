"""The transport over HTTP/1.1."""

import re
import time
from typing import Any

import grpc
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from ovclient._errors import BadResponse, ClientClosed, MessageTooLarge, OVClientError
from ovclient._key import authorization
from ovclient._rest_address import RestAddress
from ovclient._rest_calls import CALLS
from ovclient._rest_failures import failure_of, late
from ovclient._rest_infer import HEADER
from ovclient._rest_messages import HttpAnswer, HttpRequest
from ovclient._rest_pool import Opened, pool
from ovclient._rest_status import error_of
from ovclient._settings import Settings

_OK = 200
_CHUNK_BYTES = 1 << 20
_JOINED_BYTES = 1 << 16  # what is shorter goes in one packet
_ALIGNMENT = 64
_LONGEST_S = 1e6  # sockets count milliseconds in 32 bits


class RestTransport:
    """Sends a call's message as HTTP and returns the answer's; raises an `OVClientError`."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self._most_bytes = settings.max_message_bytes
        self._headers = {"accept-encoding": "identity", **dict(authorization(settings.api_key))}
        self._opened = Opened()
        place = RestAddress.of(settings.address)
        self._base = place.base
        self._pool = pool(place, settings, self._opened)
        self._closed = False

    def run(self, rpc: str, request: Any, timeout_s: float | None) -> Any:
        if self._closed:
            raise ClientClosed("the client is closed")
        call = CALLS[rpc]
        answer = self._exchange(call.ask(request, timeout_s), timeout_s)
        if answer.status in call.no:
            return call.refused
        if answer.status != _OK:
            raise error_of(answer.status, answer.text, self._address)
        return call.read(answer)

    def close(self) -> None:
        self._closed = True
        self._pool.close()
        self._opened.end()

    def _exchange(self, request: HttpRequest, timeout_s: float | None) -> HttpAnswer:
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

    def _send(self, request: HttpRequest, timeout_s: float | None) -> BaseHTTPResponse:
        length = sum(map(len, request.body))
        if length > self._most_bytes:
            raise self._too_large(f"a request of {length} bytes")
        headers = {**self._headers, **request.headers}
        if request.body:
            headers["content-length"] = str(length)
        return self._pool.urlopen(
            request.method,
            self._base + request.path,
            b"".join(request.body) if length <= _JOINED_BYTES else request.body,
            headers,
            retries=False,  # a request may have had its effect
            redirect=False,
            timeout=Timeout(total=None if timeout_s is None else min(timeout_s, _LONGEST_S)),
            preload_content=False,
            decode_content=False,
        )

    def _read(self, response: BaseHTTPResponse, ends_s: float | None, timeout_s: float | None) -> HttpAnswer:
        """Read all of it; binary data lies aligned in memory, so that tensors can be used where they are."""
        header = response.headers.get(HEADER)
        text_bytes = None if header is None else self._length(header)
        start = -(text_bytes or 0) % _ALIGNMENT
        body = bytearray(start)
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) - start > self._most_bytes:
                raise self._too_large("the answer")
            if ends_s is not None and time.monotonic() > ends_s:
                raise late(self._address, timeout_s)
        view = memoryview(body)[start:].toreadonly()
        if text_bytes is None:
            return HttpAnswer(response.status, bytes(view))
        if text_bytes > len(view):
            raise BadResponse(f"the answer of {self._address} has {len(view)} bytes, but {text_bytes} of JSON")
        return HttpAnswer(response.status, bytes(view[:text_bytes]), view[text_bytes:])

    def _length(self, header: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", header):
            raise BadResponse(f"header {HEADER} of {self._address} is '{header[:64]}', expected a number of bytes")
        return int(header)

    def _too_large(self, what: str) -> OVClientError:
        sentence = f"{self._address}: {what} is larger than max_message_bytes, {self._most_bytes}"
        return MessageTooLarge(sentence, grpc.StatusCode.RESOURCE_EXHAUSTED)
