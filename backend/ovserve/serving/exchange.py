"""One request under way: what is replied to it, until the final reply."""

import threading
from queue import Empty, SimpleQueue

from ovserve.engine.python_backend.instance import Reply, Send
from ovserve.errors import Cancelled, DeadlineExceeded, OVServeError
from ovserve.observability.logs import get_logger
from ovserve.requests import FOREVER_S, Caller
from ovserve.serving.presence import Presence

logger = get_logger("ovserve.python")


class Exchange:
    """Hands replies on to `send`, one at a time, as long as the caller is there; `presence` tells whether he is."""

    def __init__(self, label: str, caller: Caller, send: Send) -> None:
        self.presence = Presence(caller)
        self._label = label
        self._send = send
        self._closed = False
        self._lock = threading.RLock()
        # The one queue that Python lets a garbage collection put into: a sender that is let go of ends the request.
        self._ends: SimpleQueue[OVServeError | None] = SimpleQueue()

    def take(self, reply: Reply | None, *, final: bool) -> None:
        """Hand a reply on, and wait as long as that takes; what comes after the final one is dropped."""
        if final and isinstance(reply, OVServeError):
            self._ends.put(reply)
            return
        with self._lock:
            if self._closed:
                return
            try:
                self._send(reply, final=final)
            except OVServeError as error:
                self._end(error)
            except Exception:  # of ours, which is no business of the model's
                logger.exception("a response could not be sent")
                self._end(OVServeError(f"{self._label}: internal error: the server's log has the details"))
            else:
                if final:
                    self._end(None)

    def take_sent(self, reply: Reply | None, *, final: bool) -> None:
        """Do so with what a sender sends, as long as the caller is there: for one who has gone nothing ends well."""
        if not self.presence.is_gone():
            self.take(reply, final=final)

    def _end(self, error: OVServeError | None) -> None:
        self._closed = True
        self._ends.put(error)

    def wait(self) -> None:
        """Wait for the end; raises the error that was the final reply, `Cancelled` or `DeadlineExceeded`."""
        gone = Cancelled(f"{self._label}: the caller went away before the final response")
        with self.presence.part() as part:
            if not part.add_callback(lambda: self._ends.put(gone)):
                self._ends.put(gone)
            try:
                error = self._ends.get(timeout=_within(part.time_remaining()))
            except Empty:
                error = DeadlineExceeded(f"{self._label}: the deadline passed before the final response")
        if error is not None:
            raise error

    def close(self) -> None:
        """Drop what comes from now on, and send away whoever still works for it."""
        with self._lock:
            self._closed = True
        self.presence.leave()


def _within(seconds: float) -> float:
    return min(max(0.0, seconds), FOREVER_S)
