"""A real HTTP server that answers as a test says, and tells what it heard."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Heard:
    """A request, and the number of the connection that it came on."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def document(self) -> Any:
        length = self.headers.get("inference-header-content-length")
        return json.loads(self.body if length is None else self.body[: int(length)])


Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A whole answer; `_` in the headers' names stands for `-`."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def raw(data: bytes) -> Answer:
    """These bytes, and the end of the connection."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return send


def inference(outputs: list[dict[str, Any]], binary: bytes | None = None) -> Any:
    text = json.dumps({"model_name": "m", "model_version": "1", "outputs": outputs}).encode()
    if binary is None:
        return answer(200, text)
    return answer(200, text + binary, inference_header_content_length=str(len(text)))


def output(**changes: Any) -> dict[str, Any]:
    return {"name": "y", "datatype": "FP32", "shape": [2], **changes}


BINARY = {"parameters": {"binary_data_size": 8}}


class CannedServer(ThreadingHTTPServer):
    """Gives `answer` to each request."""

    daemon_threads = True
    request_queue_size = 128  # of five, one that came too many would be tried again after seconds

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = answer(200)
        self.heard: list[Heard] = []
        self.connections = 0
        self.reads_bodies = True
        self.on_finish: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CannedServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1
        self._connection = self.server.connections

    def finish(self) -> None:
        super().finish()
        self.connection.close()
        self.server.on_finish()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))) if self.server.reads_bodies else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.heard.append(Heard(self.command, self.path, headers, body, self._connection))
        self.server.answer(self)

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""
