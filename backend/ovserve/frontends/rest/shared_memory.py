"""System shared memory over REST: its routes, and the parameters by which tensors refer to it."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.errors import InvalidInput
from ovserve.frontends.rest.answers import json_answer
from ovserve.frontends.rest.documents import read_document, run
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.json_values import kind_of
from ovserve.frontends.rest.routes import add
from ovserve.frontends.rest.schemas import REGION_BODY, REGIONS, answers
from ovserve.frontends.shared_tensors import put
from ovserve.shared_memory import SharedMemory, Window
from ovserve.tensors import Tensor

REGION = "shared_memory_region"

_BYTE_SIZE = "shared_memory_byte_size"
_OFFSET = "shared_memory_offset"
_NAME = {
    "name": "region",
    "in": "path",
    "required": True,
    "description": "Name of a region, percent-encoded",
    "schema": {"type": "string", "minLength": 1},
}


class SharedMemoryRoutes:
    """One method per route."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v2/systemsharedmemory", tags=["Shared memory"])
        named: dict[str, Any] = {"parameters": [_NAME]}
        changed = answers(None, 400, 403, 408, 409, 413, 415, 429)
        add(router, "/status", self.status, answers(REGIONS))
        add(router, "/region/{region}/status", self.status, answers(REGIONS, 404), extra=named)
        add(router, "/region/{region}/register", self.register, changed, method="POST", extra=named | REGION_BODY)
        add(router, "/region/{region}/unregister", self.unregister, answers(None, 403), method="POST", extra=named)
        add(router, "/unregister", self.unregister, answers(None, 403), method="POST")
        return router

    async def status(self, request: Request) -> Response:
        """The regions that are registered."""
        found = self._doors.memory.regions(_name(request))
        return json_answer(
            [
                {"name": region.name, "key": region.key, "offset": region.offset, "byte_size": region.byte_size}
                for region in found
            ]
        )

    async def register(self, request: Request) -> Response:
        """Open a part of a shared memory object under a name."""
        name = _name(request)
        document = await read_document(request, self._doors)
        label = f"shared memory region '{name}'"
        key = document.get("key")
        if not isinstance(key, str):
            raise InvalidInput(f"{label}: 'key' is {kind_of(key)}, expected a string")
        offset, byte_size = _number(document, "offset", label), _number(document, "byte_size", label)
        await run(self._doors.probe_threads, lambda: self._doors.memory.register(name, key, offset, byte_size))
        return Response()

    async def unregister(self, request: Request) -> Response:
        """Forget a region, or all."""
        await run(self._doors.management_threads, partial(self._doors.memory.unregister, _name(request)))
        return Response()


def _name(request: Request) -> str:
    return unquote(request.path_params.get("region", ""))


def _number(source: Mapping[str, Any], key: str, label: str) -> int:
    value = source.get(key, 0)
    if type(value) is not int:
        raise InvalidInput(f"{label}: '{key}' is {kind_of(value)}, expected a number of bytes")
    return value


def window(memory: SharedMemory, parameters: Mapping[str, Any], label: str) -> Window:
    """Find where a tensor lies; raises `NotFound` or `InvalidInput`, which begin with `label`."""
    name = parameters[REGION]
    if not isinstance(name, str):
        raise InvalidInput(f"{label}: '{REGION}' is {kind_of(name)}, expected a string")
    return memory.window(name, _number(parameters, _OFFSET, label), _number(parameters, _BYTE_SIZE, label), label)


def write(place: Window, tensor: Tensor, label: str) -> dict[str, Any]:
    """Have an output where it shall go, and return the parameters that say where that is."""
    size = put(tensor, place, label)
    return {REGION: place.region.name, _BYTE_SIZE: size} | ({_OFFSET: place.offset} if place.offset else {})
