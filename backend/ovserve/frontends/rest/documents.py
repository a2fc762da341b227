"""Bodies that are a JSON object or nothing."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

from starlette.requests import Request

from ovserve.errors import InvalidInput
from ovserve.frontends.rest import strict_json
from ovserve.frontends.rest.body import decompressed, read_body
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.json_values import kind_of

SMALL_BYTES = 1 << 20

ResultT = TypeVar("ResultT")


async def read_document(request: Request, doors: Doors, most: int = SMALL_BYTES) -> Mapping[str, Any]:
    """Read a JSON object of at most `most` bytes; an empty body is an empty object.

    Raises `InvalidInput`, and what `read_body` and `decompressed` raise.
    """
    most = min(most, doors.max_body_bytes)
    body = await read_body(request, most, doors.patience_s)
    encoding = request.headers.get("content-encoding", "")

    def parse() -> Any:
        text = decompressed(body, encoding, most)
        return strict_json.parse(text) if text else {}

    document = await run(doors.probe_threads, parse)
    if not isinstance(document, dict):
        raise InvalidInput(f"the body is {kind_of(document)}, expected a JSON object")
    return document


async def run(threads: Executor, work: Callable[[], ResultT]) -> ResultT:
    """Wait for `work`, done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(threads, work)
