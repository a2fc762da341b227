"""One call: what its handler knows of the caller, and the way back."""

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import grpc

from ovserve.http2 import header_blocks
from ovserve.http2.head import Head, Metadata
from ovserve.http2.inbox import PREFIX_BYTES, Inbox, Message
from ovserve.http2.status import Refused
from ovserve.http2.wire import Buffer

if TYPE_CHECKING:
    from ovserve.http2.connection import Connection
    from ovserve.http2.methods import Method, Sink

Answer: TypeAlias = "Buffer | Sequence[Buffer]"


class Call:
    """A call as its handler sees it: the part of gRPC's ServicerContext that is of use, and `send` and `finish`.

    The fields below `connection` are the connection's, and changed under its lock.
    """

    __slots__ = (
        "_callbacks",
        "begun",
        "code",
        "connection",
        "deadline",
        "details",
        "ended",
        "granted",
        "has_head",
        "held",
        "inbox",
        "is_paused",
        "is_queued",
        "message",
        "metadata",
        "method",
        "on_room",
        "over",
        "path",
        "pending",
        "remote_ended",
        "sink",
        "stream",
        "trailers",
        "window",
    )

    def __init__(self, connection: "Connection", stream: int, head: Head, method: "Method", inbox: Inbox) -> None:
        self.connection = connection
        self.stream = stream
        self.path = head.path
        self.metadata: Metadata = head.metadata
        self.deadline = None if head.timeout_s is None else monotonic() + head.timeout_s
        self.method = method
        self.inbox = inbox
        self.message: Message | None = None  # of a unary call, until it is known to be the only one
        self.sink: Sink | None = None  # of a streaming call
        self.granted = 0  # bytes that the client may send,
        self.window = 0  # and that we may
        self.is_paused = False
        self.held = 0  # bytes of its messages that count,
        self.begun = 0  # and of these those of the message that is still coming
        self.remote_ended = False
        self.over = False  # the handler has said its last, or there is nobody to hear it
        self.ended = False  # and all of it has been sent
        self.has_head = False
        self.is_queued = False  # among those whose turn it is to send
        self.pending: deque[Buffer] = deque()
        self.trailers: bytes | None = None
        self.on_room: Callable[[], None] | None = None  # told, outside of locks, when all that was sent has gone out
        self.code = grpc.StatusCode.OK
        self.details = ""
        self._callbacks: list[Callable[[], None]] | None = []

    # What handlers know

    def invocation_metadata(self) -> Metadata:
        return self.metadata

    def time_remaining(self) -> float:
        """Tell the seconds until the caller gives up; infinity where he has not said."""
        return inf if self.deadline is None else max(0.0, self.deadline - monotonic())

    def peer(self) -> str:
        return self.connection.peer

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Have `callback` called once when the call ends; False, and it will not be, where it has ended."""
        with self.connection.lock:
            if self._callbacks is None:
                return False
            self._callbacks.append(callback)
            return True

    def set_code(self, code: grpc.StatusCode) -> None:
        self.code = code

    def set_details(self, details: str) -> None:
        self.details = details

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with a status; raises what a handler must not catch."""
        raise Refused(code, details)

    # What handlers say; in any thread

    def answer(self, answer: Answer) -> None:
        """Send the one message of a unary call, and that it went well."""
        self._send(answer, header_blocks.WELL)

    def send(self, answer: Answer) -> None:
        """Send one message of several, or have it sent when the client makes room."""
        self._send(answer, None)

    def _send(self, answer: Answer, last: bytes | None) -> None:
        pieces = [answer] if isinstance(answer, (bytes, bytearray, memoryview)) else answer
        size = sum(map(len, pieces))
        most = self.connection.limits.most_answer_bytes
        if size > most:
            details = f"the answer has {size} bytes, expected at most {most}"
            self.finish(grpc.StatusCode.RESOURCE_EXHAUSTED, details)
            return
        prefix = b"\0" + size.to_bytes(PREFIX_BYTES - 1)
        self.connection.outbox.answer(self, [prefix, *pieces], PREFIX_BYTES + size, last)

    def finish(self, code: grpc.StatusCode, details: str = "") -> None:
        """End the call, after what was sent before."""
        self.connection.outbox.finish(self, header_blocks.trailers(code.value[0], details))

    def pause(self) -> None:
        """Let the client send no more than it may already."""
        self.is_paused = True

    def resume(self) -> None:
        """Let the client send again."""
        self.connection.messages.resume(self)

    def release(self, count: int) -> None:
        """Know that a message of so many bytes is no longer held for its turn."""
        self.connection.calls.release(self, count)

    def end_callbacks(self) -> list[Callable[[], None]]:
        """Take what is to be called at the end; under the connection's lock."""
        callbacks, self._callbacks = self._callbacks, None
        return callbacks or []
