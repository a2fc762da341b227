"""ModelStreamInfer: many requests on one call, answered as they are done.

Requests run in the threads that ModelInfer's run in, and no thread waits for a client: a stream that is idle, or whose
client does not read, holds up nobody else.
The requests of one sequence run in the order they came.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import grpc

from ovserve.errors import Cancelled, Code, NotReady, Overloaded
from ovserve.frontends.grpc.lanes import Lanes, lane_of
from ovserve.frontends.grpc.status import STATUS, abort
from ovserve.handler_threads import HandlerThreads
from ovserve.http2.call import Call
from ovserve.http2.head import Metadata
from ovserve.http2.inbox import Message
from ovserve.http2.methods import Streaming, Work
from ovserve.http2.wire import Buffer
from ovserve.requests import Caller

MOST_STREAMS = 512
# Not more than one slot and its queue admit, so that a client who sends all at once is slowed down and not refused.
MOST_IN_FLIGHT = 16
_MOST_UNSENT = 16  # answers of a stream; one more, unless it is its request's last, waits for the client
_PATIENCE_S = 60.0  # with a client that reads nothing

_STOPPING = "the server is stopping"


class Remote(Caller, Protocol):
    """A caller at the other end of a connection."""

    def invocation_metadata(self) -> Metadata:
        """Tell the metadata of the call."""
        ...


class Streamed(Remote, Protocol):
    """The caller of one request of a stream, and the way back to him."""

    def put(self, answer: Sequence[Buffer], *, last: bool) -> None:
        """Have an answer sent; wait, unless it is the last, where many have not been read yet.

        Raises `Cancelled` where the client does not read.
        """
        ...


Answer: TypeAlias = Callable[[Message, Streamed], None]


class Streams:
    """All streams that are open; `answer` puts a request's answers, and never raises."""

    def __init__(self, answer: Answer, threads: HandlerThreads) -> None:
        self._answer = answer
        self._threads = threads
        self._open: set[_Stream] = set()
        self._lock = threading.Lock()
        self._closed = False

    def method(self) -> Streaming:
        """Make the method that the server has."""
        return Streaming(self._begin, self._threads)

    def close(self) -> None:
        """End every stream with UNAVAILABLE once it has its answers, and refuse new ones."""
        with self._lock:
            self._closed = True
            streams = list(self._open)
        for stream in streams:
            stream.close()

    def _begin(self, call: Call) -> "_Stream":
        stream = _Stream(call, self._answer, self._threads.submit)
        with self._lock:
            if self._closed:
                abort(call, NotReady(_STOPPING))
            if len(self._open) >= MOST_STREAMS:
                abort(call, Overloaded(f"{MOST_STREAMS} streams are open already, as many as there may be"))
            self._open.add(stream)
        call.add_callback(partial(self._end, stream))
        return stream

    def _end(self, stream: "_Stream") -> None:
        with self._lock:
            self._open.discard(stream)
        stream.leave()


class _Stream:
    """Where the messages of one call go, and its answers come from."""

    def __init__(self, call: Call, answer: Answer, submit: Callable[..., None]) -> None:
        self._call = call
        self._answer = answer
        self._submit = submit
        self._lanes = Lanes(submit)
        self._held: deque[Message] = deque()  # requests beyond those in flight, which the client had sent already
        self._running = 0
        self._unsent = 0  # answers that wait for the client to make room
        self._unsent_last = 0  # of these, each its request's last
        self._half_closed = False
        self._closing = False
        self._gone = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # which takes longer to enter than its lock
        self._callbacks: dict[object, list[Callable[[], None]]] = {}
        call.on_room = self._sent

    # What comes from the client; in the thread that reads the connection

    def message(self, data: Message) -> Work | None:
        with self._lock:
            if self._gone or self._closing:
                return None
            if self._held or self._is_full():
                self._held.append(data)
                self._call.pause()
                return None
            self._running += 1
        return self._work(data)

    def half_closed(self) -> None:
        with self._changed:
            self._half_closed = True
        self._end_if_done()

    def _is_full(self) -> bool:
        return self._running + self._unsent_last >= MOST_IN_FLIGHT

    def _work(self, data: Message) -> Work | None:
        lane = lane_of(data)
        work = partial(self._run, data)
        if lane is None:
            return work
        self._lanes.put(lane, work)
        return None

    def _run(self, data: Message) -> None:
        part = _Part(self)
        size = len(data)
        try:
            self._answer(data, part)
        finally:
            del data
            part.end()
            self._call.release(size)
            with self._lock:
                self._running -= 1
                is_last = not self._running and (self._half_closed or self._closing)
            if self._held or is_last:
                self._go_on()

    def _go_on(self) -> None:
        """Begin what waited for room, and end what is done."""
        while True:
            with self._changed:
                if not self._held or self._is_full() or self._gone or self._closing:
                    break
                data = self._held.popleft()
                self._running += 1
                is_empty = not self._held
            if is_empty:
                self._call.resume()
            work = self._work(data)
            if work is not None:
                self._submit(work)
        self._end_if_done()

    def _end_if_done(self) -> None:
        with self._changed:
            if self._running or self._gone or not (self._closing or (self._half_closed and not self._held)):
                return
        if self._closing:
            self._call.finish(STATUS[Code.NOT_READY], _STOPPING)
        else:
            self._call.finish(grpc.StatusCode.OK)

    # What goes to the client

    def put(self, answer: Sequence[Buffer], *, last: bool) -> None:
        """Send an answer, after those that were put before; `last` is its request's."""
        self._call.send(answer)
        if not self._call.pending:
            return
        with self._lock:
            self._unsent += 1
            self._unsent_last += last
        if not self._call.pending:  # it has gone out meanwhile, perhaps before it was counted
            self._sent()

    def _sent(self) -> None:
        with self._changed:
            waited = self._unsent_last
            self._unsent = self._unsent_last = 0
            self._changed.notify_all()
        if waited and self._held:
            self._go_on()

    def wait_for_room(self) -> None:
        """Wait until the client has read most of its answers; raises `Cancelled` where it does not read."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._unsent < _MOST_UNSENT or self._gone, _PATIENCE_S):
                raise Cancelled(f"the client has read nothing for {_PATIENCE_S:g} s")

    def close(self) -> None:
        """End the stream, when its requests are answered, with UNAVAILABLE."""
        with self._changed:
            self._closing = True
            self._held.clear()
        self._end_if_done()

    def leave(self) -> None:
        """The client has gone, or the stream has ended: what waits for its turn need not wait."""
        with self._changed:
            self._gone = True
            self._held.clear()
            callbacks = [callback for each in self._callbacks.values() for callback in each]
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    # What a request of it asks

    def time_remaining(self) -> float:
        return self._call.time_remaining()

    def invocation_metadata(self) -> Metadata:
        return self._call.invocation_metadata()

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
        self._is_watching = False
        self._lock = threading.Lock()

    def time_remaining(self) -> float:
        return self._stream.time_remaining()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._is_watching = True
        return self._stream.watch(self, callback)

    def invocation_metadata(self) -> Metadata:
        return self._stream.invocation_metadata()

    def put(self, answer: Sequence[Buffer], *, last: bool) -> None:
        if not last:
            self._stream.wait_for_room()
        with self._lock:
            if not self._ended:
                self._ended = last
                self._stream.put(answer, last=last)

    def end(self) -> None:
        with self._lock:
            self._ended = True
        if self._is_watching:
            self._stream.forget(self)
