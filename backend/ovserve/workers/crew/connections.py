"""Which process looks after which connection: the one that has the fewest."""

import socket
import threading
from collections.abc import Callable

from ovserve.observability.logs import get_logger
from ovserve.workers.crew.worker import Worker

logger = get_logger("ovserve.workers")


class Connections:
    """At most `most` in all processes together; one more is closed at once.

    Of those that have equally few, the one gets it that has not got one for the longest time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._adopt: Callable[[socket.socket], None] = socket.socket.close
        self._counts: dict[Worker | None, int] = {None: 0}  # None is the server itself; whoever got one last is last
        self._lock = threading.Lock()

    def adopt_with(self, adopt: Callable[[socket.socket], None]) -> None:
        """Have the server's own connections looked after."""
        self._adopt = adopt

    def joined(self, worker: Worker) -> None:
        with self._lock:
            self._counts[worker] = 0

    def left(self, worker: Worker) -> None:
        with self._lock:
            self._counts.pop(worker, None)

    def closed(self, worker: Worker | None = None) -> None:
        """A connection has ended, there or here."""
        with self._lock:
            if worker in self._counts:
                self._counts[worker] -= 1

    def hand(self, connected: socket.socket) -> None:
        """Give a connection that was accepted to whoever has the fewest."""
        while True:
            with self._lock:
                if sum(self._counts.values()) >= self._most:
                    connected.close()
                    return
                chosen = min(self._counts, key=self._counts.__getitem__)
                self._counts[chosen] = self._counts.pop(chosen) + 1
            if chosen is None:
                self._adopt(connected)
                return
            if chosen.send_file({"kind": "connection"}, connected.fileno()):
                connected.close()  # it has it now
                return
            self.left(chosen)  # it takes nothing any more, as who hears it will notice
