"""What answers a connection that has no place: probes as ever, and everybody else with why not."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovserve.frontends.rest.answers import sentence
from ovserve.frontends.rest.rights import is_probe

_CLOSE = {"connection": "close"}


class Crowded:
    """Answers one request, after which the connection ends."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_probe(scope["raw_path"].decode("latin-1")):
            text = f"{self._most} connections are being answered, as many as --rest_max_connections allows"
            await sentence(503, text, _CLOSE)(scope, receive, send)
            return

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_last)
