"""How answers and errors leave over HTTP."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ovserve.errors import OVServeError
from ovserve.frontends.rest.status import status_of

JSON = "application/json"

_MOST_CHARACTERS = 4096
_MOST_ID_CHARACTERS = 64
_LINGER_S = 2.0


class Parts(Response):
    """A body in parts, which are sent one after the other without being joined."""

    def __init__(self, parts: Sequence[bytes | memoryview], headers: Mapping[str, str]) -> None:
        size = sum(len(part) for part in parts)
        super().__init__(None, 200, {**headers, "content-length": str(size)})
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LastWord(Response):
    """An answer given while the body is still arriving.

    The rest of the body is read and forgotten, for a moment: a connection that is closed on a client which still sends
    is reset, and the answer is lost.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with asyncio.timeout(_LINGER_S):
                while (await receive()).get("more_body"):
                    pass
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def json_answer(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type=JSON)


def refusal(error: OVServeError, request_id: str = "") -> Response:
    """Answer with the error's status and sentence, prefixed with the request's id as Triton does."""
    prefix = f"[request id: {request_id[:_MOST_ID_CHARACTERS]}] " if request_id else ""
    status = status_of(error)
    if status == HTTPStatus.NO_CONTENT:
        return Response(status_code=status)
    headers = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return sentence(status, prefix + str(error), headers)


def sentence(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a sentence (it may quote a client's own megabyte-long name) as every KServe client reads it."""
    shown = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."
    body = orjson.dumps({"error": shown.encode(errors="replace").decode()})
    kind = LastWord if headers and headers.get("connection") == "close" else Response
    return kind(body, status, headers, JSON)


async def on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OVServeError)  # noqa: S101 - what it is registered for
    return refusal(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Tell of what HTTP itself refuses: an unknown route, a wrong method, a body too large."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    text = {
        404: f"{request.url.path} is not an address of this server",
        405: f"{request.method} is not a method of {request.url.path}",
    }.get(error.status_code, error.detail)
    return sentence(error.status_code, text, error.headers)
