"""Connections that are kept for the next call, and that can be ended while calls wait on them."""

import math
import socket
import threading
import time
from typing import Any
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from ovclient._rest_address import RestAddress
from ovclient._rest_idle import is_fresh
from ovclient._rest_tls import context
from ovclient._settings import Settings

_KEPT = 64


class Opened:
    """Every connection that is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: WeakSet[HTTPConnection] = WeakSet()
        self._ended = False

    def add(self, connection: HTTPConnection) -> None:
        with self._lock:
            if self._ended:
                raise ConnectionAbortedError("too late")
            self._connections.add(connection)

    def end(self) -> None:
        """Wake up who waits for an answer."""
        with self._lock:
            self._ended = True
            sockets = [connection.sock for connection in self._connections]
        for one in filter(None, sockets):
            try:
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # an SSLSocket's own would take its state from readers
            except OSError:  # it is over already
                continue


def pool(address: RestAddress, settings: Settings, opened: Opened) -> HTTPConnectionPool:
    """As many connections as there are calls at a time; up to `_KEPT` stay open afterwards."""
    made: HTTPConnectionPool
    if address.is_tls:
        made = HTTPSConnectionPool(address.host, address.port, maxsize=_KEPT, ssl_context=context(settings))
        made.ConnectionCls = _told_of(HTTPSConnection, opened)
    else:
        made = HTTPConnectionPool(address.host, address.port, maxsize=_KEPT)
        made.ConnectionCls = _told_of(HTTPConnection, opened)
    return made


def _told_of(kind: Any, opened: Opened) -> Any:
    """A kind of connection that tells `opened` of itself, and that is not used again after a long rest."""

    class Connection(kind):  # type: ignore[misc] # with TLS or without
        answered_s = math.inf

        def connect(self) -> None:
            super().connect()
            opened.add(self)

        def getresponse(self) -> Any:
            response = super().getresponse()
            self.answered_s = time.monotonic()
            return response

        @property
        def is_connected(self) -> bool:
            return super().is_connected and is_fresh(self.answered_s)

    return Connection
