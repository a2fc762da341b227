"""Triton's settings of log and trace, over REST.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_logging.md and
extension_trace.md beside it.
"""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.errors import InvalidInput
from ovserve.frontends.rest.answers import json_answer
from ovserve.frontends.rest.documents import read_document, run
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.json_values import kind_of
from ovserve.frontends.rest.paths import NAME, VERSION, addressed
from ovserve.frontends.rest.routes import add
from ovserve.frontends.rest.schemas import LOG_BODY, LOG_SETTINGS, TRACE_BODY, TRACE_SETTINGS, answers
from ovserve.log_settings import Value

_LISTS = {"trace_level"}  # of the values that are told, as Triton does; the others are single ones
_CHANGED = (400, 403, 408, 413, 415, 501)


class Settings:
    """One method per route; those of trace answer for all models, for one, and under each of its versions alike."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v2", tags=["Settings"])
        add(router, "/logging", self.log, answers(LOG_SETTINGS, 403))
        add(router, "/logging", self.set_log, answers(LOG_SETTINGS, *_CHANGED), method="POST", extra=LOG_BODY)
        for path, parameters, unknown in (
            ("", [], ()),
            ("/models/{name}", [NAME], (400, 404, 503)),
            ("/models/{name}/versions/{version}", [NAME, VERSION], (400, 404, 503)),
        ):
            place, extra = f"{path}/trace/setting", {"parameters": parameters}
            add(router, place, self.trace, answers(TRACE_SETTINGS, 403, *unknown), extra=extra)
            told = answers(TRACE_SETTINGS, *_CHANGED, *unknown)
            add(router, place, self.set_trace, told, method="POST", extra=extra | TRACE_BODY)
        return router

    async def log(self, _request: Request) -> Response:
        """What is logged, and how."""
        return json_answer(self._doors.control.log_settings({}))

    async def set_log(self, request: Request) -> Response:
        """Change what is logged, and how."""
        self._doors.control.check_may_set("log settings")
        document = await read_document(request, self._doors)
        changes = {name: _log_value(name, value) for name, value in document.items()}
        set_all = partial(self._doors.control.log_settings, changes)
        return json_answer(await run(self._doors.management_threads, set_all))

    async def trace(self, request: Request) -> Response:
        """Which requests are traced."""
        return await self._trace(request, {})

    async def set_trace(self, request: Request) -> Response:
        """Change which requests are traced."""
        self._doors.control.check_may_set("trace settings")
        document = await read_document(request, self._doors)
        return await self._trace(request, {name: _trace_values(name, value) for name, value in document.items()})

    async def _trace(self, request: Request, changes: dict[str, tuple[str, ...]]) -> Response:
        self._doors.control.check_may_set("trace settings")
        name, version = addressed(request) if "name" in request.path_params else ("", None)
        set_all = partial(self._doors.dataplane.trace_settings, changes, name, version)
        shown = (await run(self._doors.management_threads, set_all)).shown()
        return json_answer({key: [value] if key in _LISTS else value for key, value in shown.items()})


def _log_value(name: str, value: Any) -> Value:
    if not isinstance(value, bool | int | str):
        raise InvalidInput(f"log setting '{name[:64]}' is {kind_of(value)}, expected a string, a number or a boolean")
    return value


def _trace_values(name: str, value: Any) -> tuple[str, ...]:
    """Read a value or several; null puts a setting back to its default."""
    values = [] if value is None else value if isinstance(value, list) else [value]
    for each in values:
        if not isinstance(each, str):
            raise InvalidInput(f"trace setting '{name[:64]}' is {kind_of(each)}, expected a string, several, or null")
    return tuple(values)
