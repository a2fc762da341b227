"""What stands in an address: the names of models, and versions.

Routes match the address as it was sent, still encoded, so that the name of a custom node, PIPELINE/NODE, can travel as
PIPELINE%2FNODE and is not taken for two parts.
"""

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ovserve.errors import InvalidInput, NotFound
from ovserve.frontends.limits import parse_version

_LONGEST_VERSION = 19


class StillEncoded:
    """Shows the application the address as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "raw_path" in scope:
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


def decoded(text: str) -> str:
    """Decode a model's name; raises `InvalidInput` for one that is no name or leads out of a repository."""
    try:
        name = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"'{text}' is not the name of a model: expected UTF-8, percent-encoded") from None
    if "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise InvalidInput(f"'{text}' is not the name of a model")
    return name


def version_of(text: str | None, model: str) -> int | None:
    """Read the version in an address; raises `InvalidInput`, and `NotFound` for a number that no version can have."""
    if text is not None and text.isascii() and text.isdecimal() and len(text.lstrip("0")) > _LONGEST_VERSION:
        raise NotFound(f"model '{model}' version {text[:64]} is not found")
    return parse_version(text or "", model)


def addressed(request: Request) -> tuple[str, int | None]:
    """Read the model's name and the version, if any, in the address; raises `InvalidInput`, `NotFound`."""
    name = decoded(request.path_params["name"])
    return name, version_of(request.path_params.get("version"), name)


NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "Name of a model or a pipeline, percent-encoded",
    "schema": {"type": "string", "minLength": 1},
}
VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "Version of the model",
    "schema": {"type": "integer", "minimum": 1, "maximum": (1 << 63) - 1},
}
