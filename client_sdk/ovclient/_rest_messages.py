"""What goes over HTTP, before and after: requests and answers as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ovclient._errors import BadResponse


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`body` in parts, so that large tensors need not be copied into one."""

    method: str
    path: str
    body: tuple[bytes, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # there may be a key in them

    @property
    def body_bytes(self) -> int:
        return sum(map(len, self.body))


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """`text` is JSON or nothing; `rest` the binary data behind it, None where no header tells of any."""

    status: int
    text: bytes
    rest: memoryview | None = None

    def document(self) -> Any:
        """The JSON; raises `BadResponse` where it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise BadResponse(f"the answer is no JSON: {error}") from error


def get(path: str) -> HttpRequest:
    return HttpRequest("GET", path)


def post(path: str, document: Mapping[str, Any]) -> HttpRequest:
    return HttpRequest("POST", path, (json.dumps(document).encode(),), {"content-type": "application/json"})
