"""What one stream does in a window, with so many requests in flight, and what is noted of them."""

import threading
from collections import deque
from collections.abc import Sequence
from time import perf_counter_ns

from tritonclient.grpc import service_pb2 as pb

from ovclient._errors import ClientClosed, DeadlineExceeded, OVClientError, ServerFailure
from ovclient.bench.loop import PAUSE_AFTER_FAILURE_S, Tally, Window
from ovclient.bench.raw_stream import RawStreamClient


def streamed_loop(client: RawStreamClient, requests: Sequence[bytes], window: Window) -> Tally:
    """Send each request again when it is answered, until the window closes; what was sent is waited for.

    Each of them is sent once at least. The thread that reads the stream does this; the one that calls only looks after
    requests that have to wait, and those that take too long.
    """
    client.listener = loop = _StreamedLoop(client, window)
    window.await_begin()
    try:
        return loop.run(requests)
    finally:
        client.listener = None


class _StreamedLoop:
    """A closed loop for each request; all that it does is done under its lock."""

    def __init__(self, client: RawStreamClient, window: Window) -> None:
        self._client = client
        self._window = window
        self._timeout_ns = None if client.timeout_s is None else round(client.timeout_s * 1e9)
        self._tally = Tally()
        self._messages: dict[str, bytes] = {}  # by id
        self._begun_ns: dict[str, int] = {}  # by id, of what is under way; the oldest first
        self._paused: deque[tuple[int, str]] = deque()  # until when, and the id
        self._is_done = False
        self._failure: OVClientError | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def run(self, requests: Sequence[bytes]) -> Tally:
        with self._lock:
            for name in [self._named(request) for request in requests]:
                self._send(name, perf_counter_ns())
            while not self._is_done:
                wait_ns = self._look_after()
                if not self._is_done:
                    self._changed.wait(None if wait_ns is None else max(0, wait_ns) / 1e9)
        if self._failure is not None:
            raise self._failure
        return self._tally

    # What the stream tells

    def answered(self, name: str, error: str) -> None:
        with self._lock:
            begun_ns = self._begun_ns.pop(name, None)
            if begun_ns is None:  # it was given up, or has been answered before
                return
            if error:
                self._fail(name, ServerFailure(error))
                return
            self._tally.end_ns = end_ns = perf_counter_ns()
            self._tally.latencies_ns.append(end_ns - begun_ns)
            self._go_on(name, end_ns)

    def ended(self, failure: OVClientError) -> None:
        with self._lock:
            under_way, self._begun_ns = self._begun_ns, {}
            for name in under_way:
                self._fail(name, failure)

    # What becomes of a request

    def _named(self, request: bytes) -> str:
        """Make a request, under an id that no other has had."""
        name = self._client.name()
        # A field that comes later in a message has the last word.
        self._messages[name] = request + pb.ModelInferRequest(id=name).SerializeToString()
        return name

    def _send(self, name: str, now_ns: int) -> None:
        if self._client.end is not None:
            self._fail(name, self._client.end)
            return
        self._begun_ns[name] = now_ns
        self._client.send(self._messages[name])

    def _go_on(self, name: str, now_ns: int) -> None:
        if now_ns < self._window.until_ns:
            self._send(name, now_ns)
            return
        del self._messages[name]
        if not self._messages:
            self._end()

    def _fail(self, name: str, failure: OVClientError) -> None:
        if self._window.stopped:  # the window's end cut this request off
            self._end()
        elif isinstance(failure, ClientClosed):
            self._failure = failure
            self._end()
        else:
            self._tally.end_ns = now_ns = perf_counter_ns()
            self._tally.fail(failure.code.name if failure.code else type(failure).__name__, str(failure))
            self._paused.append((now_ns + round(PAUSE_AFTER_FAILURE_S * 1e9), name))
            self._changed.notify()

    def _end(self) -> None:
        self._is_done = True
        self._changed.notify()

    def _look_after(self) -> int | None:
        """Send what has paused, give up what takes too long, and tell when to look again unless told before."""
        now_ns = perf_counter_ns()
        while self._paused and self._paused[0][0] <= now_ns:
            self._go_on(self._paused.popleft()[1], now_ns)
        next_ns = [until_ns for until_ns, _ in self._paused][:1]
        if self._timeout_ns is not None:
            self._give_up(now_ns - self._timeout_ns)
            next_ns += [begun_ns + self._timeout_ns for begun_ns in list(self._begun_ns.values())[:1]]
        return min(next_ns) - now_ns if next_ns else None

    def _give_up(self, begun_ns: int) -> None:
        """Fail what began so early; it goes on under another id, as its answer may still come."""
        late = DeadlineExceeded(f"{self._client.address}: no answer in {self._client.timeout_s:g} s")
        for name in [name for name, since_ns in self._begun_ns.items() if since_ns <= begun_ns]:
            del self._begun_ns[name]
            self._fail(self._named(self._messages.pop(name)), late)
