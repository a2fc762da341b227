"""A client that sends any bytes over HTTP; every answer is checked for what must not leave the server."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wire_server import INDISCREET

TIMEOUT_S = 60


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of an answer that refuses."""
        assert self.status >= 400, self.body
        assert self.headers["content-type"] == "application/json"
        assert list(self.json) == ["error"]
        return self.json["error"]


class HttpDoor:
    """A connection; a body that is no bytes is sent as JSON."""

    def __init__(self, address: str) -> None:
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self._connection.request(method, path, body, dict(headers or {}))
        got = self._connection.getresponse()
        return checked(HttpAnswer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read()))

    def get(self, path: str) -> HttpAnswer:
        return self.ask("GET", path)

    def infer(self, model: str, body: Any, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self.ask("POST", f"/v2/models/{model}/infer", body, headers)

    def raw(self, data: bytes, timeout_s: float = TIMEOUT_S) -> bytes:
        """Send bytes on a connection of their own, and read until the server ends it."""
        with socket.create_connection((self.host, self.port), timeout_s) as connection:
            connection.sendall(data)
            got = b""
            while part := connection.recv(65536):
                got += part
        return got

    def assert_probes(self, model: str) -> None:
        """What an orchestrator asks, on a connection of its own as it does."""
        for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{model}/ready"):
            probe = HttpDoor(f"{self.host}:{self.port}")
            assert probe.get(path).status == 200
            probe.close()

    def close(self) -> None:
        self._connection.close()


def checked(answer: HttpAnswer) -> HttpAnswer:
    if answer.status >= 400:
        assert not INDISCREET.search(answer.body.decode()), answer.body
    return answer


def with_binary(document: Any, *contents: bytes) -> tuple[bytes, dict[str, str]]:
    """A body of JSON and binary data behind it, and the header that tells where one ends."""
    text = json.dumps(document).encode()
    return b"".join((text, *contents)), {"Inference-Header-Content-Length": str(len(text))}
