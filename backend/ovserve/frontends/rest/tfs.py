"""TensorFlow Serving's API over REST (https://www.tensorflow.org/tfx/serving/api_rest), as OVMS had it.

A frontend translates; it never decides. Unlike under /v2, what is no JSON gets 412, and the texts of /v1/config are
OVMS's, word for word: scripts compare them.
"""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.errors import (
    Code,
    ConfigMissing,
    ConfigRefused,
    EntryRefused,
    InvalidInput,
    OVServeError,
    PlaceMissing,
    ReloadFailed,
    VersionsFailed,
)
from ovserve.frontends.rest import strict_json
from ovserve.frontends.rest.answers import JSON
from ovserve.frontends.rest.body import decompressed, read_body
from ovserve.frontends.rest.caller import in_thread
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.paths import NAME, VERSION, decoded, version_of
from ovserve.frontends.rest.routes import add
from ovserve.frontends.rest.schemas import answers
from ovserve.frontends.rest.status import status_of
from ovserve.frontends.rest.watched import watched
from ovserve.frontends.tfs import json_predict, metadata, model_status
from ovserve.leaving_caller import LeavingCaller
from ovserve.observability.logs import get_logger
from ovserve.requests import Door
from ovserve.seeing.watch import Watch

DOOR = Door("TensorFlowServing", "REST")

_CONFIG_FAILED = "Reloading config file failed. Check server logs for more info."
_TEXTS = {
    ConfigMissing: "Config file not found or cannot open.",
    ConfigRefused: _CONFIG_FAILED,
    PlaceMissing: _CONFIG_FAILED,
    EntryRefused: _CONFIG_FAILED,
    VersionsFailed: "Reloading models versions failed. Check server logs for more info.",
}
_OBJECT = {"type": "object"}
_UNKNOWN = (400, 404)
_PREDICT = (204, 400, 404, 408, 412, 413, 415, 429, 500, 501, 503, 504)
_BODY = {
    "requestBody": {
        "description": "`instances` (by rows) or `inputs` (by columns), with names or, for a single input, without",
        "required": True,
        "content": {JSON: {"schema": _OBJECT}},
    }
}

logger = get_logger("ovserve.rest")


class NotJson(InvalidInput):
    code = Code.PRECONDITION  # as OVMS


class TensorFlowServing:
    """One method per route; those of models answer with and without a version in the address."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["TensorFlow Serving"])
        for path, parameters in (
            ("/models/{name}", [NAME]),
            ("/models/{name}/versions/{version}", [NAME, VERSION]),
        ):
            extra: dict[str, Any] = {"parameters": parameters}
            predict = answers(_OBJECT, *_PREDICT)
            add(router, f"{path}:predict", self.predict, predict, method="POST", extra=extra | _BODY)
            add(router, path, self.status, answers(_OBJECT, *_UNKNOWN), extra=extra)
            add(router, f"{path}/metadata", self.metadata, answers(_OBJECT, *_UNKNOWN, 503), extra=extra)
        add(router, "/config", self.config, answers(_OBJECT))
        add(router, "/config/reload", self.reload, answers(_OBJECT, 400, 403, 412, 500), method="POST")
        return router

    async def status(self, request: Request) -> Response:
        """The state of each version of a model."""
        return _json(model_status.to_json(self._doors.control.standings(*_addressed(request))))

    async def metadata(self, request: Request) -> Response:
        """A model's inputs and outputs."""
        name, version = _addressed(request)
        return _json(metadata.to_json(self._doors.dataplane.metadata(name, version, DOOR)[0]))

    async def predict(self, request: Request) -> Response:
        """Run a model."""
        with watched(self._doors.dataplane, DOOR, request) as watch:
            return await self._predict(request, watch)

    async def _predict(self, request: Request, watch: Watch) -> Response:
        name, version = _addressed(request)
        most = self._doors.max_body_bytes
        body = await read_body(request, most, self._doors.patience_s)

        def work(caller: LeavingCaller) -> Response:
            document = _document(decompressed(body, request.headers.get("content-encoding", ""), most), name)
            specs = self._doors.dataplane.inputs(name, version, caller)
            asked, format_ = json_predict.parse(document, name, version, specs)
            return _json(json_predict.to_json(self._doors.dataplane.infer(asked, caller, DOOR, watch), format_))

        return await in_thread(self._doors.infer_threads, request, work)

    async def config(self, _request: Request) -> Response:
        """The state of every version of every model."""
        return _json(model_status.config_json(self._doors.control.all_standings()))

    async def reload(self, _request: Request) -> Response:
        """Look at the configuration and the repository now: 201 where something else is served then, 200 otherwise."""
        loop = asyncio.get_running_loop()
        try:
            changed = await loop.run_in_executor(self._doors.management_threads, self._doors.control.reload)
        except OVServeError as error:
            logger.warning("reload failed", cause=str(error))
            text = _TEXTS[type(error)] if isinstance(error, ReloadFailed) else str(error)
            return _json(model_status.error_json(text), status_of(error))
        return _json(model_status.config_json(self._doors.control.all_standings()), 201 if changed else 200)


def _addressed(request: Request) -> tuple[str, int | None]:
    """Read the model's name and the version in the address; version 0 is the default one, as OVMS's client sends it."""
    name = decoded(request.path_params["name"])
    version = request.path_params.get("version")
    return name, version_of(None if version == "0" else version, name)


def _document(text: memoryview, model: str) -> Any:
    try:
        return strict_json.parse(text)
    except InvalidInput as error:
        raise NotJson(f"The file is not valid json - model '{model}': {error}") from None


def _json(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type=JSON)
