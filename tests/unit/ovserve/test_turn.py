"""Calls that are done in turns: a slow one among them holds up nobody."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import grpc
import pytest

from ovserve.handler_threads import HandlerThreads
from ovserve.http2.call import Call
from ovserve.http2.inbox import Message
from ovserve.http2.limits import Limits
from ovserve.http2.methods import Streaming, Unary
from ovserve.http2.server import Server
from ovserve.http2.turn import Turn, is_quick

TIMEOUT_S = 60
IN_FLIGHT = 16


class Echo:
    """Answers each message with itself, `wait` only when it may."""

    def __init__(self, call: Call, may_go: threading.Event) -> None:
        self._call = call
        self._may_go = may_go

    def message(self, data: Message) -> Callable[[], None]:
        return lambda: self._answer(bytes(data))

    def _answer(self, data: bytes) -> None:
        if data == b"wait":
            self._may_go.wait(TIMEOUT_S)
        if data == b"fail":
            raise RuntimeError("as asked")
        self._call.send(data)

    def half_closed(self) -> None:
        self._call.finish(grpc.StatusCode.OK)


class Stream:
    """A client's side of a stream."""

    def __init__(self, port: int) -> None:
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._answers = self._channel.stream_stream("/test/Echo")(iter(self._requests.get, None), timeout=TIMEOUT_S)

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self._requests.put(message)

    def take(self, count: int) -> list[bytes]:
        return [next(self._answers) for _ in range(count)]

    def close(self) -> None:
        self._requests.put(None)
        assert list(self._answers) == []
        self._channel.close()


@pytest.fixture
def may_go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def port(may_go: threading.Event) -> Iterator[int]:
    server = Server(Limits(1 << 20))
    server.allow(8)
    server.add({"/test/Echo": Streaming(lambda call: Echo(call, may_go), server.threads)})
    number = server.listen("127.0.0.1", 0)
    server.start()
    yield number
    server.stop(0)


def be_quick(stream: Stream) -> None:
    """Have the server take turns."""
    stream.send(*[b"x"] * IN_FLIGHT)
    for _ in range(500):
        stream.take(1)
        stream.send(b"x")
    stream.take(IN_FLIGHT)


@pytest.mark.parametrize("_", range(5))
def test_a_call_that_waits_holds_up_none_of_its_connection(port: int, may_go: threading.Event, _: int) -> None:
    stream = Stream(port)
    be_quick(stream)
    stream.send(b"wait", b"a", b"b", b"c")
    assert sorted(stream.take(3)) == [b"a", b"b", b"c"]
    stream.send(b"d")
    assert stream.take(1) == [b"d"]
    may_go.set()
    assert stream.take(1) == [b"wait"]
    stream.close()


def test_a_call_that_fails_takes_none_with_it(port: int, caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(port)
    be_quick(stream)
    stream.send(b"a", b"fail", b"b")
    assert sorted(stream.take(2)) == [b"a", b"b"]
    assert "a call ended with an internal error" in caplog.text
    stream.close()


def test_more_messages_than_may_be_in_flight_all_come_back(port: int) -> None:
    stream = Stream(port)
    sent = [str(number).encode() for number in range(5000)]
    stream.send(*sent)
    assert sorted(stream.take(5000)) == sorted(sent)
    stream.close()


class Outgoing:
    """What a turn does to a connection and its outbox."""

    def __init__(self) -> None:
        self.outbox = self
        self.pace_s = self.paced = self.tried = 0.0
        self.is_collecting = False
        self.is_read = False

    def collect(self) -> None:
        self.is_collecting = True

    def send_collected(self) -> None:
        self.is_collecting = False

    def done_reading(self) -> None:
        assert not self.is_collecting
        self.is_read = True


def test_a_turn_broken_up_before_it_began_leaves_nothing_behind() -> None:
    others = HandlerThreads("other")
    others.allow(1)
    connection, done = Outgoing(), threading.Event()
    turn = Turn(connection, [(Unary(bytes, others), done.set)])
    assert turn.break_up(others, lambda _thread: None)
    turn.take(others)
    assert done.wait(TIMEOUT_S)
    assert (connection.is_read, connection.is_collecting) == (True, False)


def test_who_takes_a_turn_that_is_broken_up_goes_on_only_when_another_leads() -> None:
    others = HandlerThreads("other")
    begun, may_end, leads = threading.Event(), threading.Event(), threading.Event()
    seen: list[bool] = []

    def work() -> None:
        begun.set()
        may_end.wait(TIMEOUT_S)

    def take() -> None:
        turn.take(others)
        seen.append(leads.is_set())

    def let_lead(thread: int) -> None:
        assert thread == threading.main_thread().ident  # who made the turn
        may_end.set()
        taker.join(0.1)  # it would come back now, if it did not wait
        leads.set()

    turn = Turn(Outgoing(), [(Unary(bytes, others), work)])
    turn.begun += TIMEOUT_S  # however late the thread starts
    taker = threading.Thread(target=take)
    taker.start()
    begun.wait(TIMEOUT_S)
    assert turn.break_up(others, let_lead)
    taker.join(TIMEOUT_S)
    assert seen == [True]


LATER_S = 60.0  # than the clock says, so that no pause of the machine counts


def paced(pace_s: float) -> Outgoing:
    connection = Outgoing()
    connection.pace_s, connection.paced = pace_s, time.perf_counter() + LATER_S
    return connection


def test_calls_that_were_perhaps_quick_are_tried_in_a_turn_now_and_then() -> None:
    connection = paced(0.001)
    assert is_quick(connection)
    assert connection.tried > 0
    connection.tried += LATER_S
    assert not is_quick(connection)


def test_few_calls_are_not_tried_in_a_turn() -> None:
    connection = paced(0.001)
    connection.paced -= 2 * LATER_S
    assert not is_quick(connection)


def test_slow_calls_are_never_tried_in_a_turn() -> None:
    assert not is_quick(paced(0.007))
