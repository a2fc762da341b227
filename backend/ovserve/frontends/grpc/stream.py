"""ModelStreamInfer: many requests on one call, answered as they are done.

A stream's thread only reads: requests run in the threads that ModelInfer's run in, and a thread that sends is borrowed
while there is something to send. So a stream that is idle, or whose client does not read, holds up nobody else.
The requests of one sequence run in the order they came.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol, TypeAlias

import grpc

from ovserve.errors import Cancelled, Code, NotReady, Overloaded
from ovserve.frontends.grpc.lanes import Lanes, lane_of
from ovserve.frontends.grpc.status import STATUS, abort
from ovserve.frontends.handler_threads import HandlerThreads
from ovserve.requests import Caller

# Each holds a thread (45 KB with 500 idle ones) as long as it is open.
MOST_STREAMS = 512
# Not more than one slot and its queue admit, so that a client who sends all at once is slowed down and not refused.
MOST_IN_FLIGHT = 16
_MOST_UNSENT = 16  # answers of a stream; one more, unless it is its request's last, waits for the client
_PATIENCE_S = 60.0  # with a client that reads nothing
_SPARE_THREADS = 16  # to refuse the streams that are too many

_STOPPING = "the server is stopping"

Send: TypeAlias = Callable[[bytes | None], None]


class Remote(Caller, Protocol):
    """A caller at the other end of a connection; a gRPC servicer context is one as it stands."""

    def invocation_metadata(self) -> Iterable[tuple[str, Any]] | None:
        """Tell the metadata of the call."""
        ...


class Streamed(Remote, Protocol):
    """The caller of one request of a stream, and the way back to him."""

    def put(self, answer: bytes, *, last: bool) -> None:
        """Have an answer sent; wait, unless it is the last, where many have not been read yet.

        Raises `Cancelled` where the client does not read.
        """
        ...


Answer: TypeAlias = Callable[[bytes, Streamed], None]


class Streams:
    """All streams that are open; `answer` puts a request's answers, and never raises."""

    def __init__(self, answer: Answer, workers: HandlerThreads) -> None:
        self._answer = answer
        self._workers = workers
        self._readers = HandlerThreads("grpc-stream")
        self._readers.allow(MOST_STREAMS + _SPARE_THREADS)
        self._senders = HandlerThreads("grpc-stream-send")
        self._senders.allow(2 * MOST_STREAMS)  # for the answers of each, and for its end
        self._open: set[_Stream] = set()
        self._lock = threading.Lock()
        self._closed = False

    def handler(self) -> Any:
        """Make gRPC's handler, which sends through a callback and not by returning."""

        def handle(requests: Iterator[bytes], context: grpc.ServicerContext, send: Send) -> None:
            self._serve(requests, context, send)

        handle.experimental_non_blocking = True  # type: ignore[attr-defined]
        handle.experimental_thread_pool = self._readers  # type: ignore[attr-defined]
        return grpc.stream_stream_rpc_method_handler(handle)

    def close(self) -> None:
        """End every stream with UNAVAILABLE once it has its answers, and refuse new ones."""
        with self._lock:
            self._closed = True
            streams = list(self._open)
        for stream in streams:
            stream.close()

    def _serve(self, requests: Iterator[bytes], context: grpc.ServicerContext, send: Send) -> None:
        stream = _Stream(context, send, self._senders)
        with self._lock:
            closed, full = self._closed, len(self._open) >= MOST_STREAMS
            if not closed and not full:
                self._open.add(stream)
        if closed:
            abort(context, NotReady(_STOPPING))
        if full:
            abort(context, Overloaded(f"{MOST_STREAMS} streams are open already, as many as there may be"))
        try:
            self._read(requests, stream)
        except grpc.RpcError:
            stream.leave()  # the client went away
        finally:
            with self._lock:
                self._open.discard(stream)

    def _read(self, requests: Iterator[bytes], stream: "_Stream") -> None:
        lanes = Lanes(self._workers.submit)
        for data in requests:
            if not stream.admit():
                return
            lanes.put(lane_of(data), partial(self._run, stream, data))
            del data  # or an idle stream would hold its last request's bytes
        stream.finish()

    def _run(self, stream: "_Stream", data: bytes) -> None:
        part = _Part(stream)
        try:
            self._answer(data, part)
        finally:
            part.end()


class _Stream:
    def __init__(self, context: grpc.ServicerContext, send: Send, senders: HandlerThreads) -> None:
        self._context = context
        self._send = send
        self._senders = senders
        self._outbox: deque[tuple[bytes, bool]] = deque()
        self._sending = False
        self._in_flight = 0
        self._closing = False
        self._gone = False
        self._finished = False
        self._changed = threading.Condition()
        self._callbacks: dict[object, list[Callable[[], None]]] = {}
        if not context.add_callback(self.leave):
            self.leave()

    def admit(self) -> bool:
        """Wait for room for one more request; False where there will be no answer to it."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < MOST_IN_FLIGHT or self._gone or self._closing)
            if self._gone or self._closing:
                return False
            self._in_flight += 1
            return True

    def put(self, answer: bytes, *, last: bool) -> None:
        """Send an answer, after those that were put before; `last` is its request's."""
        with self._changed:
            self._outbox.append((answer, last))
            if self._sending:
                return
            self._sending = True
        self._senders.submit(self._send_all)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                if not self._outbox:
                    self._sending = False
                    return
                answer, last = self._outbox.popleft()
            self._send(answer)  # waits for the client to make room, and returns at once where it has gone
            with self._changed:
                self._in_flight -= last
                self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait until the client has read most of its answers; raises `Cancelled` where it does not read."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._outbox) < _MOST_UNSENT or self._gone, _PATIENCE_S):
                raise Cancelled(f"the client has read nothing for {_PATIENCE_S:g} s")

    def drop(self) -> None:
        """Know that a request has no last answer."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the stream, when its requests are answered, with UNAVAILABLE."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._senders.submit(self.finish)

    def finish(self) -> None:
        """Wait until everything is answered, and end the stream."""
        with self._changed:
            self._changed.wait_for(lambda: (self._in_flight == 0 and not self._sending) or self._gone)
            if self._finished or self._gone:
                return
            self._finished = True
            if self._closing:
                self._context.set_code(STATUS[Code.NOT_READY])
                self._context.set_details(_STOPPING)
        self._send(None)

    def leave(self) -> None:
        """The client has gone, or the stream has ended: what waits for its turn need not wait."""
        with self._changed:
            self._gone = True
            callbacks = [callback for each in self._callbacks.values() for callback in each]
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    def time_remaining(self) -> float:
        return self._context.time_remaining()

    def invocation_metadata(self) -> Iterable[tuple[str, Any]] | None:
        metadata: Iterable[tuple[str, Any]] | None = self._context.invocation_metadata()
        return metadata

    def watch(self, part: object, callback: Callable[[], None]) -> bool:
        with self._changed:
            if self._gone:
                return False
            self._callbacks.setdefault(part, []).append(callback)
            return True

    def forget(self, part: object) -> None:
        with self._changed:
            self._callbacks.pop(part, None)


class _Part:
    """One request of a stream: its `Caller`, whose callbacks do not outlive it as the stream does."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._ended = False
        self._lock = threading.Lock()

    def time_remaining(self) -> float:
        return self._stream.time_remaining()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self._stream.watch(self, callback)

    def invocation_metadata(self) -> Iterable[tuple[str, Any]] | None:
        return self._stream.invocation_metadata()

    def put(self, answer: bytes, *, last: bool) -> None:
        if not last:
            self._stream.wait_for_room()
        with self._lock:
            if not self._ended:
                self._ended = last
                self._stream.put(answer, last=last)

    def end(self) -> None:
        with self._lock:
            if not self._ended:
                self._ended = True
                self._stream.drop()
        self._stream.forget(self)
