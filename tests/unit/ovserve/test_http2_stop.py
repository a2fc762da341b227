"""A server that stops at a moment when a call is not among those in flight: not yet, or no more."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from ovserve.http2.call import Call
from ovserve.http2.head import Head
from ovserve.http2.limits import Limits
from ovserve.http2.methods import Unary
from ovserve.http2.open_calls import OpenCalls
from ovserve.http2.outbox import Callbacks
from ovserve.http2.server import Server

TIMEOUT_S = 30


@contextmanager
def stopped_while_asked(server: Server, reached: threading.Event) -> Iterator["Future[None]"]:
    """Stop it when a call has `reached` something; it must wait for that call, whose answer must come in the end."""
    port = server.listen("127.0.0.1", 0)
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, ThreadPoolExecutor(1) as threads:
        answer = channel.unary_unary("/test/Echo").future(b"x", timeout=TIMEOUT_S)
        assert reached.wait(TIMEOUT_S)
        stopping = threads.submit(server.stop, TIMEOUT_S)
        with pytest.raises(TimeoutError):
            stopping.result(0.2)
        yield stopping
        assert answer.result(TIMEOUT_S) == b"x"
        stopping.result(TIMEOUT_S)


@pytest.fixture
def looked_at() -> threading.Event:
    return threading.Event()


@pytest.fixture
def may_be_made() -> threading.Event:
    return threading.Event()


@pytest.fixture
def server(looked_at: threading.Event, may_be_made: threading.Event) -> Server:
    def look(_head: Head, _peer: str) -> None:
        looked_at.set()
        may_be_made.wait(TIMEOUT_S)

    server = Server(Limits(1 << 20), check=look)
    server.allow(1)
    server.add({"/test/Echo": Unary(lambda message, _call: bytes(message), server.threads)})
    return server


def test_a_call_that_is_looked_at_when_the_server_stops_is_answered(
    server: Server, looked_at: threading.Event, may_be_made: threading.Event
) -> None:
    with stopped_while_asked(server, looked_at):
        may_be_made.set()


def test_an_answer_that_is_about_to_leave_when_the_server_stops_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, may_be_answered, forgotten, may_leave = (threading.Event() for _ in range(4))
    forget = OpenCalls.forget

    def slowly(calls: OpenCalls, call: Call) -> Callbacks:
        callbacks = forget(calls, call)
        forgotten.set()
        may_leave.wait(TIMEOUT_S)
        return callbacks

    def echo(message: bytes | memoryview, _call: Call) -> bytes:
        asked.set()
        may_be_answered.wait(TIMEOUT_S)
        return bytes(message)

    monkeypatch.setattr(OpenCalls, "forget", slowly)
    server = Server(Limits(1 << 20))
    server.allow(1)
    server.add({"/test/Echo": Unary(echo, server.threads)})
    with stopped_while_asked(server, asked) as stopping:
        may_be_answered.set()
        assert forgotten.wait(TIMEOUT_S)
        with pytest.raises(TimeoutError):
            stopping.result(0.2)  # the call is over, but nothing has been sent
        may_leave.set()
