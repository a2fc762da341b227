"""The check of a request's key, before anything of the body is read."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ovserve.dataplane import DataPlane
from ovserve.errors import OVServeError
from ovserve.frontends.rest import kserve, tfs
from ovserve.frontends.rest.answers import refusal
from ovserve.frontends.rest.rights import right_for
from ovserve.observability.logs import get_logger
from ovserve.requests import Door
from ovserve.security.keys import Keys, presented_key
from ovserve.seeing.outcome import bounded

# Inference, which is told of as every other request is.
_DOORS: Sequence[tuple[re.Pattern[str], Door]] = [
    (re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer"), kserve.DOOR),
    (re.compile(r"/v1/models/([^/]+?)(?:/versions/([^/]+?))?:predict"), tfs.DOOR),
]

logger = get_logger("ovserve.rest")


class RightsCheck:
    """Refuses requests whose key lacks the right."""

    def __init__(self, app: ASGIApp, keys: Keys, dataplane: DataPlane) -> None:
        self._app = app
        self._keys = keys
        self._dataplane = dataplane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        right = right_for(scope["path"])
        if right is not None:
            headers = Headers(scope=scope)
            presented = presented_key(headers.get("authorization"), headers.get("x-api-key"))
            try:
                self._keys.check(presented, right, f"{scope['method']} {scope['path']}", kserve.DOOR.interface)
            except OVServeError as error:
                self._tell(scope, error)
                await refusal(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _tell(self, scope: Scope, error: OVServeError) -> None:
        logger.debug("refused", peer=str(scope["client"]), reason=bounded(str(error)))
        for pattern, door in _DOORS:
            if scope["method"] == "POST" and (found := pattern.fullmatch(scope["path"])):
                name, version = found.groups()
                self._dataplane.refused(door, error, unquote(name), version)
