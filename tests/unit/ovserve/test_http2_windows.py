"""What a client is told that it may send is known before it can do so."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from ovserve.http2.call import Call
from ovserve.http2.connection import Connection
from ovserve.http2.ends import Ends
from ovserve.http2.head import Head
from ovserve.http2.held_refusals import HeldRefusals
from ovserve.http2.inbox import PREFIX_BYTES, Inbox
from ovserve.http2.messages import Messages
from ovserve.http2.methods import Unary
from ovserve.http2.open_calls import OpenCalls
from ovserve.http2.outbox import Outbox
from ovserve.http2.patience import Patience
from ovserve.http2.wire import Buffer, Wire

MIB = 1 << 20


class QuickWire:
    """Goes to a client that uses what it is told before `send` returns: how much that is, when it is told."""

    def __init__(self) -> None:
        self.call: Call | None = None
        self.granted: list[int] = []

    def send(self, _pieces: Sequence[Buffer]) -> list[Buffer]:
        assert self.call is not None
        self.granted.append(self.call.granted)
        return []


@pytest.fixture
def wire() -> QuickWire:
    return QuickWire()


@pytest.fixture
def lock() -> threading.Lock:
    return threading.Lock()


@pytest.fixture
def calls(lock: threading.Lock) -> OpenCalls:
    return OpenCalls(lock, 256 * MIB)


@pytest.fixture
def outbox(wire: QuickWire, lock: threading.Lock, calls: OpenCalls) -> Outbox:
    return Outbox(cast("Wire", wire), lock, calls.forget, lambda: None)


@pytest.fixture
def ends(lock: threading.Lock, calls: OpenCalls, outbox: Outbox) -> Ends:
    return Ends(lock, calls, outbox, Patience())


@pytest.fixture
def refusals(ends: Ends) -> HeldRefusals:
    return HeldRefusals(ends)


@pytest.fixture
def messages(lock: threading.Lock, calls: OpenCalls, outbox: Outbox, ends: Ends, refusals: HeldRefusals) -> Messages:
    return Messages(lock, calls, outbox, ends, refusals, work=lambda _method, _work: None)


@pytest.fixture
def call(messages: Messages, wire: QuickWire, calls: OpenCalls) -> Call:
    wire.call = call = begun(1, messages, calls)
    return call


def begun(stream: int, messages: Messages, calls: OpenCalls) -> Call:
    head = Head("/test/Echo", None, "identity", (), None, 0)
    method = Unary(lambda message, _call: bytes(message))
    call = Call(
        cast("Connection", SimpleNamespace(lock=threading.Lock())), stream, head, method, Inbox(64 * MIB, "identity")
    )
    call.granted = messages.first_bytes
    calls.add(call)
    return call


def send_prefix(messages: Messages, call: Call, size: int) -> None:
    messages.data(call, b"\0" + size.to_bytes(4), 0, PREFIX_BYTES)
    messages.data_ends(call, ends=False)


def test_the_rest_of_a_message(messages: Messages, call: Call, wire: QuickWire) -> None:
    send_prefix(messages, call, 20 * MIB)
    assert wire.granted == [16 * MIB, 20 * MIB]


def test_the_next_messages_of_a_call_that_was_made_to_pause(messages: Messages, call: Call, wire: QuickWire) -> None:
    call.granted, call.is_paused = 0, True
    messages.resume(call)
    assert wire.granted == [messages.first_bytes]


def test_a_refusal_waits_for_no_more_of_a_body_when_windows_grow(
    messages: Messages, refusals: HeldRefusals, call: Call, calls: OpenCalls
) -> None:
    refused = begun(3, messages, calls)
    refusals.hold(refused, b"")
    send_prefix(messages, call, 20 * MIB)
    assert messages.data_begins(3, MIB + 1) is refused
    messages.data_ends(refused, ends=False)
    assert refused.ended
