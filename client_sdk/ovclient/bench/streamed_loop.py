"""What one stream does in a window, with so many requests in flight, and what is noted of them."""

import asyncio
import time

from tritonclient.grpc import service_pb2 as pb

from ovclient._errors import ClientClosed, DeadlineExceeded, OVClientError, ServerFailure
from ovclient.bench.loop import PAUSE_AFTER_FAILURE_S, Tally, Window
from ovclient.bench.raw_stream import RawStreamClient


def streamed_loop(client: RawStreamClient, request: bytes, in_flight: int, window: Window) -> Tally:
    """Send each request again when it is answered, until the window closes; what was sent is waited for.

    Each of them is sent once at least, and all by the thread that calls this.
    """
    return client.run(_run(client, request, in_flight, window))


async def _run(client: RawStreamClient, request: bytes, in_flight: int, window: Window) -> Tally:
    client.listener = loop = _StreamedLoop(client, request, window)
    try:
        await asyncio.sleep(max(0, window.begin_ns - time.perf_counter_ns()) / 1e9)
        return await loop.run(in_flight)
    finally:
        client.listener = None


class _StreamedLoop:
    """A closed loop for each request, all in one thread; the stream tells what has come."""

    def __init__(self, client: RawStreamClient, request: bytes, window: Window) -> None:
        self._client = client
        self._request = request
        self._window = window
        self._tally = Tally()
        self._messages: dict[str, bytes] = {}  # by id
        self._begun_ns: dict[str, int] = {}  # by id, of what is under way; the oldest first
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Tally] = self._loop.create_future()

    async def run(self, in_flight: int) -> Tally:
        for _ in range(in_flight):
            self._send(self._named())
        looks = None if self._client.timeout_s is None else asyncio.create_task(self._look(self._client.timeout_s))
        try:
            return await self._done
        finally:
            if looks is not None:
                looks.cancel()

    # What the stream tells

    def answered(self, name: str, error: str) -> None:
        begun_ns = self._begun_ns.pop(name, None)
        if begun_ns is None:  # it was given up, or has been answered before
            return
        if error:
            self._fail(name, ServerFailure(error))
            return
        self._tally.end_ns = end_ns = time.perf_counter_ns()
        self._tally.latencies_ns.append(end_ns - begun_ns)
        self._go_on(name, end_ns)

    def ended(self, failure: OVClientError) -> None:
        for name in list(self._begun_ns):
            del self._begun_ns[name]
            self._fail(name, failure)

    # What becomes of a request

    def _named(self) -> str:
        """Make the request anew, under an id that no other has had."""
        name = self._client.name()
        # A field that comes later in a message has the last word.
        self._messages[name] = self._request + pb.ModelInferRequest(id=name).SerializeToString()
        return name

    def _send(self, name: str, now_ns: int = 0) -> None:
        if self._client.end is not None:
            self._fail(name, self._client.end)
            return
        self._begun_ns[name] = now_ns or time.perf_counter_ns()
        self._client.send(self._messages[name])

    def _go_on(self, name: str, now_ns: int) -> None:
        if now_ns < self._window.until_ns:
            self._send(name, now_ns)
            return
        del self._messages[name]
        if not self._messages:
            self._end()

    def _go_on_after_pause(self, name: str) -> None:
        if not self._done.done():
            self._go_on(name, time.perf_counter_ns())

    def _fail(self, name: str, failure: OVClientError) -> None:
        if self._window.stopped:  # the window's end cut this request off
            self._end()
        elif isinstance(failure, ClientClosed):
            self._end(failure)
        else:
            self._tally.end_ns = time.perf_counter_ns()
            self._tally.fail(failure.code.name if failure.code else type(failure).__name__, str(failure))
            self._loop.call_later(PAUSE_AFTER_FAILURE_S, self._go_on_after_pause, name)

    def _end(self, failure: OVClientError | None = None) -> None:
        if self._done.done():
            return
        if failure is None:
            self._done.set_result(self._tally)
        else:
            self._done.set_exception(failure)

    async def _look(self, timeout_s: float) -> None:
        """Give up what takes too long, under an id of its own: its answer may still come."""
        timeout_ns = timeout_s * 1e9
        while True:
            oldest_ns = next(iter(self._begun_ns.values()), time.perf_counter_ns())
            await asyncio.sleep(max(0.0, oldest_ns + timeout_ns - time.perf_counter_ns()) / 1e9)
            late_ns = time.perf_counter_ns() - timeout_ns
            for name in [name for name, begun_ns in self._begun_ns.items() if begun_ns <= late_ns]:
                del self._begun_ns[name], self._messages[name]
                late = DeadlineExceeded(f"{self._client.address}: no answer in {timeout_s:g} s")
                self._fail(self._named(), late)
