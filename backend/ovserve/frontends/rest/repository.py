"""What is in the repository, and loading and unloading by request: Triton's extension of KServe v2."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.control import IndexRow
from ovserve.errors import InvalidInput, Unsupported
from ovserve.frontends.rest.answers import json_answer
from ovserve.frontends.rest.documents import read_document, run
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.json_values import kind_of
from ovserve.frontends.rest.paths import NAME, addressed
from ovserve.frontends.rest.routes import add
from ovserve.frontends.rest.schemas import INDEX, INDEX_BODY, LOAD_BODY, UNLOAD_BODY, answers

_FILE = "file:"


class Repository:
    """One method per route."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v2/repository", tags=["Repository"])
        common = (400, 408, 413, 415, 503)
        add(router, "/index", self.index, answers(INDEX, *common), method="POST", extra=INDEX_BODY)
        model: dict[str, Any] = {"parameters": [NAME]}
        changed = answers(None, *common, 403, 500, 501)
        add(router, "/models/{name}/load", self.load, changed, method="POST", extra=model | LOAD_BODY)
        add(
            router,
            "/models/{name}/unload",
            self.unload,
            changed,
            method="POST",
            extra=model | UNLOAD_BODY,
        )
        return router

    async def index(self, request: Request) -> Response:
        """Every version known, and why one is not served."""
        document = await read_document(request, self._doors)
        ready = document.get("ready", False)
        if not isinstance(ready, bool):
            raise InvalidInput(f"the request: 'ready' is {kind_of(ready)}, expected true or false")
        rows = await run(self._doors.probe_threads, lambda: self._doors.control.index(ready_only=ready))
        return json_answer([_row(row) for row in rows])

    async def load(self, request: Request) -> Response:
        """Load a model as it lies in the repository now, or as it comes with the request."""
        name, _ = addressed(request)
        parameters = _parameters(await read_document(request, self._doors, self._doors.max_body_bytes), name)
        files = [key for key in parameters if key.startswith(_FILE)]
        _check_known(parameters, name, {"config", *files})
        config = parameters.get("config")
        if "config" in parameters and not isinstance(config, str):
            raise InvalidInput(f"load of model '{name}': 'config' is {kind_of(config)}, expected JSON as a string")

        def load() -> None:
            uploaded = {key.removeprefix(_FILE): _file(parameters[key], name, key) for key in files}
            self._doors.control.load(name, config, uploaded)

        await run(self._doors.management_threads, load)
        return Response()

    async def unload(self, request: Request) -> Response:
        """Stop serving a model, after the requests in flight."""
        name, _ = addressed(request)
        parameters = _parameters(await read_document(request, self._doors), name)
        _check_known(parameters, name, {"unload_dependents"})
        with_parts = parameters.get("unload_dependents", False)
        if not isinstance(with_parts, bool):
            raise InvalidInput(
                f"unload of model '{name}': 'unload_dependents' is {kind_of(with_parts)}, expected true or false"
            )
        await run(self._doors.management_threads, lambda: self._doors.control.unload(name, with_parts=with_parts))
        return Response()


def _parameters(document: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidInput(f"model '{model}': 'parameters' is {kind_of(parameters)}, expected an object")
    return parameters


def _check_known(parameters: Mapping[str, Any], model: str, known: set[str]) -> None:
    unknown = parameters.keys() - known
    if unknown:
        raise Unsupported(f"model '{model}': parameter '{min(unknown)}' is not supported")


def _file(text: Any, model: str, key: str) -> bytes:
    if not isinstance(text, str):
        raise InvalidInput(f"load of model '{model}': '{key}' is {kind_of(text)}, expected base64 in a string")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"load of model '{model}': '{key}' is not base64") from None


def _row(row: IndexRow) -> dict[str, str]:
    version = "" if row.version is None else str(row.version)
    document = {"name": row.name, "version": version, "state": row.state, "reason": row.reason}
    return {key: value for key, value in document.items() if value or key == "name"}
