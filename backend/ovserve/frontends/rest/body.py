"""Reading a request's body, bounded in size and in time."""

import asyncio
import zlib

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from ovserve.errors import InvalidInput

PATIENCE_S = 30.0

_SLOWEST_BYTES_PER_S = 10_000
_ALIGNMENT = 64
_CLOSE = {"connection": "close"}
_WBITS = {"gzip": 31, "deflate": 15}


async def read_body(request: Request, most: int, patience_s: float) -> memoryview:
    """Read up to `most` bytes.

    What follows a JSON header of the length that the request declares lies aligned in memory, so that tensors can be
    used where they are.

    Raises `HTTPException` 413 as soon as there are more, 408 where for `patience_s` seconds, and as long again for
    every so many bytes that have come, not enough comes; `ClientDisconnect`.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    start = -(header_length(request) or 0) % _ALIGNMENT
    body = bytearray(start)
    began_s = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(patience_s) as limit:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                if len(body) - start > most:
                    raise _too_large(most)
                if not message.get("more_body"):
                    return memoryview(body)[start:]
                limit.reschedule(began_s + patience_s + len(body) / _SLOWEST_BYTES_PER_S)
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {patience_s:g} s", _CLOSE) from None


def header_length(request: Request) -> int | None:
    """Read how long the JSON before the binary data is; raises `InvalidInput`."""
    text = request.headers.get("inference-header-content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 10:  # noqa: PLR2004 - digits of 1 GiB
        raise InvalidInput(f"header Inference-Header-Content-Length is '{text[:64]}', expected a number of bytes")
    return int(text)


def decompressed(body: memoryview, encoding: str, most: int) -> memoryview:
    """Undo a Content-Encoding; raises `HTTPException` 413 beyond `most` bytes, 415, and `InvalidInput`."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in _WBITS:
        raise HTTPException(415, f"Content-Encoding '{encoding[:64]}' is not known, expected gzip or deflate")
    stream = zlib.decompressobj(_WBITS[encoding])
    try:
        plain = stream.decompress(body, most + 1)
    except zlib.error:
        raise InvalidInput(f"the body is not {encoding}, as its Content-Encoding says") from None
    if len(plain) > most:
        raise _too_large(most)
    if not stream.eof or stream.unused_data:
        raise InvalidInput(f"the body is not one whole {encoding} stream, as its Content-Encoding says")
    return memoryview(plain)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {most} bytes, which --rest_max_body_bytes allows", _CLOSE)
