"""The REST server: sockets, a thread with uvicorn's loop, and how it stops."""

import math
import socket
import threading
from collections.abc import Sequence
from functools import partial

import uvicorn

from ovserve.config.cors import Cors
from ovserve.control import Control
from ovserve.dataplane import DataPlane
from ovserve.errors import CannotStart
from ovserve.frontends.rest.app import make_app
from ovserve.frontends.rest.body import PATIENCE_S
from ovserve.frontends.rest.connections import Connections
from ovserve.frontends.rest.doors import Doors
from ovserve.frontends.rest.protocol import BoundedProtocol
from ovserve.frontends.thread_count import threads_for
from ovserve.metrics import Metrics
from ovserve.security.certificates import Certificates
from ovserve.security.keys import Keys
from ovserve.serving.registry import Registry
from ovserve.shared_memory import SharedMemory

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
# A client that takes nothing for so long is given up, or its answer would be kept for ever.
_UNREAD_MS = 60_000


class RestServer:
    """KServe v2 and TensorFlow Serving over HTTP/1.1 on the addresses given."""

    def __init__(
        self,
        dataplane: DataPlane,
        control: Control,
        registry: Registry,
        memory: SharedMemory,
        *,
        max_body_bytes: int,
        max_connections: int = 1000,
        cors: Cors | None = None,
        certificates: Certificates | None = None,
        keys: Keys | None = None,
        metrics: Metrics | None = None,
        patience_s: float = PATIENCE_S,
        keep_alive_s: int = _KEEP_ALIVE_S,
    ) -> None:
        self._registry = registry
        self._doors = Doors(dataplane, control, memory, max_body_bytes, patience_s)
        protocol = partial(BoundedProtocol, places=Connections(max_connections), patience_s=patience_s)
        config = uvicorn.Config(
            make_app(self._doors, cors, keys, metrics),
            http=protocol,  # type: ignore[arg-type] # it calls what it is given
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=keep_alive_s,
        )
        config.load()
        config.ssl = None if certificates is None else certificates.ssl_context()
        self._server = uvicorn.Server(config)
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, name="rest", daemon=True)
        self.follow()
        registry.on_change(self.follow)

    def bind(self, addresses: Sequence[str], port: int) -> list[str]:
        """Listen on each address, all with the same port (0 picks a free one), and return them as host:port.

        Raises `CannotStart`.
        """
        bound: list[str] = []
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            try:
                self._sockets.append(_listen(address, port))
            except OSError as error:
                raise CannotStart(f"cannot listen on {host}:{port} for REST: {error.strerror}") from error
            port = self._sockets[-1].getsockname()[1]
            bound.append(f"{host}:{port}")
        return bound

    def start(self) -> None:
        self._thread.start()

    def not_serving(self) -> None:
        """Readiness is asked for, request by request: there is nobody to tell."""

    def stop(self, grace_s: float) -> None:
        """Close the door, let answers in flight leave for `grace_s` seconds, and return when all have ended."""
        self._server.config.timeout_graceful_shutdown = math.ceil(grace_s)
        self._server.should_exit = True
        self._thread.join()

    def follow(self) -> None:
        """Bring the number of threads in line with the models."""
        self._doors.infer_threads.allow(threads_for(self._doors.dataplane, self._registry))

    def _run(self) -> None:
        self._server.run(self._sockets)


def _listen(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
