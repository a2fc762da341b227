"""Who leads: nothing that comes is left lying, whoever is woken for it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import grpc
import pytest

from ovserve.http2.call import Call
from ovserve.http2.inbox import Message
from ovserve.http2.limits import Limits
from ovserve.http2.methods import Unary
from ovserve.http2.server import Server

TIMEOUT_S = 60
LARGE = bytes(3 << 20)
LONG_S = 0.003  # of a call, after which its thread stands by


class Doors:
    """What the test's handlers wait for, and say."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.may_go = threading.Event()


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def port(doors: Doors) -> Iterator[int]:
    """A server of which no thread that waits for clients is left once it has stopped."""
    server = Server(Limits(16 << 20))
    server.allow(8)

    def hold(message: Message, _call: Call) -> bytes:
        doors.reached.set()
        assert doors.may_go.wait(TIMEOUT_S)
        return bytes(message)

    def take_time(message: Message, _call: Call) -> bytes:
        begun = time.perf_counter()
        while time.perf_counter() - begun < LONG_S:
            sha256(message)
        return bytes(message[:1])

    server.add(
        {
            "/test/Quick": Unary(lambda message, _call: bytes(message[:1]), server.threads),
            "/test/Slow": Unary(take_time, server.threads),
            "/test/Held": Unary(hold, server.threads),
            "/test/HeldByWhoReads": Unary(hold),
        }
    )
    before = set(threading.enumerate())
    port = server.listen("127.0.0.1", 0)
    server.start()
    yield port
    doors.may_go.set()
    server.stop(TIMEOUT_S)
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("grpc_"):
            thread.join(TIMEOUT_S)
            assert not thread.is_alive(), thread


Ask = Callable[[str, bytes], "grpc.CallFuture[bytes]"]


@pytest.fixture
def ask(port: int) -> Iterator[Ask]:
    """Calls, each on a connection of its own."""
    channels = []

    def asked(path: str, message: bytes) -> "grpc.CallFuture[bytes]":
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}", options))
        return channels[-1].unary_unary(path).future(message, timeout=TIMEOUT_S)

    yield asked
    for channel in channels:
        channel.close()


@pytest.mark.parametrize("held", ["/test/Held", "/test/HeldByWhoReads"])
def test_what_comes_while_a_call_is_held_is_answered(ask: Ask, doors: Doors, held: str) -> None:
    assert ask("/test/Slow", b"x").result() == b"x"  # its thread waits beside the leader now
    first = ask(held, b"y")
    assert doors.reached.wait(TIMEOUT_S)
    others = [ask("/test/Quick", bytes([number])) for number in range(5)]
    if held == "/test/Held":
        assert [other.result() for other in others] == [bytes([number]) for number in range(5)]
    doors.may_go.set()
    assert first.result() == b"y"
    assert [other.result() for other in others] == [bytes([number]) for number in range(5)]


def test_quick_slow_and_large_calls_of_many_clients_are_all_answered(port: int) -> None:
    def client(number: int) -> int:
        with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
            quick, slow = (channel.unary_unary(f"/test/{name}") for name in ("Quick", "Slow"))
            kinds = [(quick, b"q"), (quick, b"q"), (slow, b"s"), (quick, LARGE), (slow, LARGE)]
            turns = [kinds[(number + turn * turn) % len(kinds)] for turn in range(150)]
            return sum(call(message, timeout=TIMEOUT_S) == message[:1] for call, message in turns)

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(client, range(6))) == [150] * 6
