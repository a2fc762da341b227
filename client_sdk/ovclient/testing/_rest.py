"""The fake server's REST door: HTTP on a free loopback port, in front of the service that gRPC has."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ovclient._errors import OVClientError
from ovclient._rest_infer import HEADER
from ovclient.testing._rest_calls import Refused, RestContext, answer_of, asked
from ovclient.testing._service import FakeService


class RestDoor(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True

    def __init__(self, service: FakeService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.address = f"http://localhost:{self.server_address[1]}"
        self.opened: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop at once; calls under way break off."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        for connection in list(self.opened):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is over already
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: RestDoor

    def setup(self) -> None:
        super().setup()
        self.server.opened.add(self.connection)

    def finish(self) -> None:
        self.server.opened.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        text_bytes = int(self.headers.get(HEADER, len(body)))
        try:
            rpc, request = asked(self.command, self.path, body[:text_bytes], memoryview(body)[text_bytes:])
            answer = answer_of(rpc, getattr(self.server.service, rpc)(request, RestContext(rpc, request)))
        except Refused as refusal:
            self._send(refusal.status, json.dumps({"error": str(refusal)}).encode())
        except (OVClientError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._send(400, json.dumps({"error": f"{self.command} {self.path}: {error}"}).encode())
        else:
            self._send(answer.status, answer.text, answer.rest)

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def _send(self, status: int, text: bytes, rest: memoryview | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text) + len(rest or b"")))
        if rest is not None:
            self.send_header(HEADER, str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.write(rest or b"")
