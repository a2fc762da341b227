"""KServe v2 over REST (https://github.com/kserve/open-inference-protocol), with what Triton added.

A frontend translates; it never decides.
"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ovserve.errors import NotReady, OVServeError
from ovserve.frontends.extensions import EXTENSIONS
from ovserve.frontends.rest import infer_request, infer_response, strict_json
from ovserve.frontends.rest.answers import json_answer, refusal
from ovserve.frontends.rest.body import decompressed, header_length, read_body
from ovserve.frontends.rest.caller import in_thread
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.model_config_json import model_config_document
from ovserve.frontends.rest.paths import NAME, VERSION, addressed
from ovserve.frontends.rest.routes import add
from ovserve.frontends.rest.schemas import (
    INFER_ANSWER,
    INFER_BODY,
    MODEL_METADATA,
    SERVER_METADATA,
    answers,
)
from ovserve.frontends.rest.watched import watched
from ovserve.leaving_caller import LeavingCaller
from ovserve.requests import Door
from ovserve.seeing.watch import Watch
from ovserve.tensors import TensorSpec
from ovserve.version import VERSION as SERVER_VERSION

DOOR = Door("KServe", "REST")

_UNKNOWN = (400, 404, 503)
_INFER = (204, 400, 404, 408, 412, 413, 415, 429, 500, 501, 503, 504)


class KServe:
    """One method per route; those of models answer with and without a version in the address."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v2", tags=["KServe v2"])
        add(router, "", self.server, answers(SERVER_METADATA))
        add(router, "/health/live", self.live, answers())
        add(router, "/health/ready", self.ready, answers(None, 503))
        for path, parameters in (
            ("/models/{name}", [NAME]),
            ("/models/{name}/versions/{version}", [NAME, VERSION]),
        ):
            extra: dict[str, Any] = {"parameters": parameters}
            add(router, path, self.model, answers(MODEL_METADATA, *_UNKNOWN), extra=extra)
            add(router, f"{path}/ready", self.model_ready, answers(None, *_UNKNOWN), extra=extra)
            add(router, f"{path}/config", self.config, answers({"type": "object"}, *_UNKNOWN), extra=extra)
            add(
                router,
                f"{path}/infer",
                self.infer,
                answers(INFER_ANSWER, *_INFER),
                method="POST",
                extra=extra | INFER_BODY,
            )
        return router

    async def live(self, _request: Request) -> Response:
        """Whether the server runs."""
        return Response()

    async def ready(self, _request: Request) -> Response:
        """Whether the server is ready to answer."""
        if not self._doors.dataplane.ready():
            raise NotReady("the server is not ready")
        return Response()

    async def server(self, _request: Request) -> Response:
        """What the server is."""
        return json_answer(
            {"name": "ovserve", "version": SERVER_VERSION, "extensions": ["binary_tensor_data", *EXTENSIONS]}
        )

    async def model_ready(self, request: Request) -> Response:
        """Whether a model would answer now."""
        name, version = addressed(request)
        if not self._doors.dataplane.model_ready(name, version, DOOR):
            self._doors.dataplane.metadata(name, version)  # which raises why not
            raise NotReady("the server is stopping")
        return Response()

    async def model(self, request: Request) -> Response:
        """A model's versions, inputs and outputs."""
        name, version = addressed(request)
        metadata, versions = self._doors.dataplane.metadata(name, version, DOOR)
        return json_answer(
            {
                "name": metadata.name,
                "versions": [str(number) for number in versions],
                "platform": metadata.platform,
                "inputs": [_tensor(spec) for spec in metadata.inputs],
                "outputs": [_tensor(spec) for spec in metadata.outputs],
            }
        )

    async def config(self, request: Request) -> Response:
        """A model's configuration, in Triton's terms."""
        name, version = addressed(request)
        return json_answer(model_config_document(self._doors.dataplane.served(name, version)))

    async def infer(self, request: Request) -> Response:
        """Run a model."""
        with watched(self._doors.dataplane, DOOR, request) as watch:
            return await self._infer(request, watch)

    async def _infer(self, request: Request, watch: Watch) -> Response:
        name, version = addressed(request)
        headers = header_length(request)
        body = await read_body(request, self._doors.max_body_bytes, self._doors.patience_s)

        def work(caller: LeavingCaller) -> Response:
            plain = decompressed(body, request.headers.get("content-encoding", ""), self._doors.max_body_bytes)
            text, rest = infer_request.split(plain, headers, name)
            document = strict_json.parse(text)
            request_id = infer_request.id_of(document, name)
            watch.know(name, version, request_id)
            try:
                asked = infer_request.decode(document, rest, self._doors.memory, (name, version))
                response = self._doors.dataplane.infer(asked.request, caller, DOOR, watch)
                return infer_response.encode(response, asked, request.headers.get("accept-encoding", ""))
            except OVServeError as error:
                watch.refuse(error)
                return refusal(error, request_id)

        return await in_thread(self._doors.infer_threads, request, work)


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    """Write a tensor's specification; ranges, which -1 hides from other clients, are told under a key of our own."""
    document: dict[str, Any] = {"name": spec.name, "datatype": spec.datatype, "shape": spec.wire_shape}
    if any(not dim.is_static and (dim.low or dim.high is not None) for dim in spec.dims or ()):
        document["shape_bounds"] = [[dim.low, dim.high] for dim in spec.dims or ()]
    return document
