"""HEADERS -> calls that are admitted, or the word that they are not; and the trailers that end their messages."""

from typing import TYPE_CHECKING, Protocol

import grpc

from ovserve.http2 import header_blocks
from ovserve.http2.call import Call
from ovserve.http2.ends import Ends
from ovserve.http2.frames import ConnectionFault, Fault, StreamFault
from ovserve.http2.head import Head
from ovserve.http2.header_blocks import RequestHeads
from ovserve.http2.inbox import ENCODINGS, Inbox
from ovserve.http2.methods import Method, Streaming, Unary
from ovserve.http2.patience import Patience
from ovserve.http2.status import Refused

if TYPE_CHECKING:
    from ovserve.http2.connection import Connection

# Unpacking a header block takes long. One that is larger than gRPC's clients send counts as frames that carry nothing.
_LARGE_BLOCK_BYTES = 8 << 10
_BLOCK_BYTES_A_FRAME = 256

_NONE = Unary(lambda _message, _call: b"")  # of a call that is none: never asked


class Admission(Protocol):
    """Which calls are let in, and who answers them."""

    def method(self, path: str) -> Method | None: ...

    def check(self, head: Head, peer: str) -> None:
        """Raise `Refused` where the call may not be made."""
        ...


class CallHeads:
    """The heads of one connection's calls."""

    def __init__(self, connection: "Connection", admission: Admission, ends: Ends, patience: Patience) -> None:
        self._connection = connection
        self._admission = admission
        self._limits = connection.limits
        self._calls = connection.calls
        self._messages = connection.messages
        self._refusals = connection.refusals
        self._ends = ends
        self._patience = patience
        self._heads = RequestHeads()

    def header_block(self, stream: int, block: bytes, *, ends: bool) -> None:
        calls = self._calls
        if len(block) > _LARGE_BLOCK_BYTES:
            self._patience.spend(len(block) // _BLOCK_BYTES_A_FRAME)
        if stream % 2 == 0:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "HEADERS on a stream that is no client's")
        if stream <= calls.last_stream:
            self._trailers(stream, block, ends=ends)
            return
        calls.last_stream = stream if not calls.is_closed else calls.last_stream
        try:
            head = self._heads.read(block)
        except StreamFault as error:
            if not calls.is_closed:
                self._ends.refuse(stream, error.fault)
            return
        if not calls.is_closed:  # otherwise the client was told that it has not been looked at
            self._admit(stream, head, ends=ends)

    def _admit(self, stream: int, head: Head, *, ends: bool) -> None:
        if len(self._calls) >= self._limits.streams:
            self._ends.refuse(stream, Fault.REFUSED_STREAM)
        elif head.refusal is not None:
            self._refuse(stream, head, head.refusal, ends=ends)
        else:
            try:
                self._begin(stream, head, ends=ends)
            except Refused as refused:
                trailers = header_blocks.trailers(refused.code.value[0], refused.details)
                self._ends.answer(stream, header_blocks.ANSWER + trailers, has_ended=ends)

    def _refuse(self, stream: int, head: Head, status: int, *, ends: bool) -> None:
        """Tell who is no gRPC client so, once it has sent what it wants to."""
        block = header_blocks.http_refusal(status)
        if ends or not self._refusals.has_room:
            self._ends.answer(stream, block, has_ended=True)
            return
        call = self._call(stream, head, _NONE)
        self._refusals.hold(call, block)
        self._calls.add(call)

    def _begin(self, stream: int, head: Head, *, ends: bool) -> None:
        """Begin a call; raises `Refused`."""
        self._check_room(head, self._connection.outbox.unsent_bytes)
        self._admission.check(head, self._connection.peer)
        method = self._admission.method(head.path)
        if method is None:
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        if head.encoding not in ENCODINGS:
            raise Refused(
                grpc.StatusCode.UNIMPLEMENTED,
                f"messages compressed as '{head.encoding[:64]}' are not read, only as {', '.join(sorted(ENCODINGS))}",
            )
        call = self._call(stream, head, method)
        if isinstance(method, Streaming):
            call.sink = method.open(call)
        self._calls.add(call)
        if ends:
            self._messages.end(call)

    def _call(self, stream: int, head: Head, method: Method) -> Call:
        inbox = Inbox(self._limits.message_bytes, head.encoding)
        call = Call(self._connection, stream, head, method, inbox)
        call.granted, call.window = self._messages.first_bytes, self._connection.outbox.call_window
        return call

    def _check_room(self, head: Head, unsent_bytes: int) -> None:
        if head.size > self._limits.metadata_bytes:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the metadata has {head.size} bytes, expected at most {self._limits.metadata_bytes}",
            )
        if unsent_bytes > self._limits.held_bytes:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the connection's unread answers have more than {self._limits.held_bytes} bytes, the most expected",
            )

    def _trailers(self, stream: int, block: bytes, *, ends: bool) -> None:
        call = self._calls.find(stream)
        try:
            self._heads.read_trailers(block)
        except StreamFault as error:
            if call is not None:
                self._ends.reset(call, error.fault)
                return
        if call is None:
            self._patience.spend()
        elif call.remote_ended:
            self._ends.reset(call, Fault.STREAM_CLOSED)
        elif not ends:
            self._ends.reset(call, Fault.PROTOCOL_ERROR)
        else:
            self._messages.data_ends(call, ends=True)
