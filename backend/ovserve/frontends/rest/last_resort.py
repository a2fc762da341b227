"""What happens to a fault of ours, and to a client that has gone."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ovserve.frontends.rest.answers import sentence
from ovserve.observability.logs import get_logger

logger = get_logger("ovserve.rest")


class LastResort:
    """The last line of defence: the fault goes to the log whole, and to the client without a word of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:
            return
        except Exception:
            logger.exception("internal error", path=scope["path"])
            if not started:
                await sentence(500, "internal error: the server's log has the details")(scope, receive, send)
