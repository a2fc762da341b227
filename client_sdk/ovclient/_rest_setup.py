"""What goes out for a call and what an answer means, for both transports over HTTP/1.1. No I/O."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ovclient._key import authorization
from ovclient._rest_address import RestAddress
from ovclient._rest_body import Body, too_large
from ovclient._rest_calls import CALLS
from ovclient._rest_infer import HEADER
from ovclient._rest_messages import HttpAnswer, HttpRequest
from ovclient._rest_status import error_of
from ovclient._settings import Settings

_OK = 200


class RestSetup:
    """What a server is told with each call, and how much it may answer."""

    def __init__(self, settings: Settings) -> None:
        self.address = settings.address
        self.place = RestAddress.of(settings.address)
        self._most_bytes = settings.max_message_bytes
        self._headers = {"accept-encoding": "identity", **dict(authorization(settings.api_key))}

    def request(self, rpc: str, message: Any, timeout_s: float | None) -> HttpRequest:
        """The whole request of an RPC; raises `MessageTooLarge`."""
        asked = CALLS[rpc].ask(message, timeout_s)
        if asked.body_bytes > self._most_bytes:
            raise too_large(self.address, f"a request of {asked.body_bytes} bytes", self._most_bytes)
        told = {"content-length": str(asked.body_bytes)} if asked.body else {}
        return replace(asked, path=self.place.base + asked.path, headers={**self._headers, **asked.headers, **told})

    def body(self, headers: Mapping[str, str]) -> Body:
        """An empty one for what follows these headers; raises `BadResponse`."""
        return Body(self.address, self._most_bytes, headers.get(HEADER))

    def message(self, rpc: str, answer: HttpAnswer) -> Any:
        """The message that answers the RPC; raises what a refusal says."""
        call = CALLS[rpc]
        if answer.status in call.no:
            return call.refused
        self.check(answer)
        return call.read(answer)

    def check(self, answer: HttpAnswer) -> None:
        """Raises what a refusal says."""
        if answer.status != _OK:
            raise error_of(answer.status, answer.text, self.address)
