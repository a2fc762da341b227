"""Known attacks on HTTP/2 servers: what they cost us is bounded, and a client beside is answered in time."""

import resource
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

import small_models
from http2_calls import CALL, GOOD, INFER, LIVE, OK, RESOURCE_EXHAUSTED, assert_serves, assert_well, call, large
from http2_peer import (
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    RST_STREAM,
    Peer,
    data,
    frame,
    message,
    reset,
    settings,
    window_update,
)
from server_process import ServerProcess

MIB = 1 << 20
MOST_GROWTH_KB = 64 << 10
MOST_WAIT_S = 10  # for one call of the client beside, on a machine that does other things too


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("attacked")
    small_models.save(small_models.add_one([-1]), root / "grow/1")
    server = ServerProcess("--model_repository", str(root), "--nireq", "2", "--grpc_max_message_bytes", str(64 * MIB))
    for _ in range(20):
        assert_serves(server.address)
    with Peer(server.address, {INITIAL_WINDOW_SIZE: 1 << 30}) as peer:
        peer.send(window_update(0, 1 << 30))
        for _ in range(4):  # what it needs to work at all
            assert peer.ask(CALL, message(large(200_000))).status == OK
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log
    assert "Traceback" not in server.log


class Beside(threading.Thread):
    """A good client that asks on new connections all the time, and one that keeps its own."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.over = threading.Event()
        self.waited_s: list[float] = []
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            with Peer(self.address) as kept:
                while not self.over.is_set() or len(self.waited_s) < 3:
                    began_s = time.monotonic()
                    assert_serves(self.address)
                    assert_well(kept)
                    kept.streams.clear()
                    kept.frames.clear()
                    self.waited_s.append(time.monotonic() - began_s)
                    if kept._next > 2000:
                        kept.send(window_update(0, 1 << 16))
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failed = error


@pytest.fixture
def address(attacked: ServerProcess) -> Iterator[str]:
    """Where to attack; meanwhile others are answered, and the memory it takes is bounded."""
    before_kb = attacked.resident_kb()
    beside = Beside(attacked.address)
    beside.start()
    yield attacked.address
    grown_kb = attacked.resident_kb() - before_kb
    beside.over.set()
    beside.join(60)
    assert beside.failed is None, beside.failed
    assert max(beside.waited_s) < MOST_WAIT_S
    assert grown_kb < MOST_GROWTH_KB, f"{grown_kb >> 10} MB"
    assert attacked.process.poll() is None, attacked.log


def assert_was_stopped(peer: Peer, *codes: int) -> None:
    """The server has ended the connection; its reason may have been lost with it."""
    peer.read_to_end()
    assert {code for code, _ in peer.goaways} <= set(codes)


def test_rapid_reset(address: str) -> None:
    with Peer(address) as peer:
        streams = [peer.new_stream() for _ in range(20_000)]
        peer.send_until_refused(*(peer.headers(stream, CALL) + reset(stream) for stream in streams))
        assert_was_stopped(peer, ENHANCE_YOUR_CALM)


def test_rapid_reset_of_whole_requests(address: str) -> None:
    with Peer(address) as peer:
        streams = [peer.new_stream() for _ in range(5000)]
        peer.send_until_refused(
            *(peer.headers(stream, CALL) + data(stream, GOOD, ends=True) + reset(stream) for stream in streams)
        )
        assert_was_stopped(peer, ENHANCE_YOUR_CALM)


@pytest.mark.parametrize(
    "provoke",
    [
        lambda stream: window_update(stream, 0),
        lambda stream: window_update(stream, (1 << 31) - 1),
        lambda stream: data(stream, b"x"),
        lambda stream: frame(HEADERS, b"", flags=END_HEADERS, stream=stream),
    ],
    ids=["no growth", "overflow", "data after the end", "headers after the end"],
)
def test_streams_that_the_server_is_made_to_reset(address: str, provoke: "object") -> None:
    with Peer(address) as peer:
        streams = [peer.new_stream() for _ in range(5000)]
        peer.send_until_refused(
            *(peer.headers(each, CALL) + data(each, GOOD, ends=True) + provoke(each) for each in streams)
        )
        while len(peer.streams) < len(streams) and peer.read_frame():
            pass
        assert {code for code, _ in peer.goaways} <= {ENHANCE_YOUR_CALM}


@pytest.mark.parametrize(("count", "size"), [(4000, 16384), (200_000, 0), (100_000, 1)], ids=["full", "empty", "tiny"])
def test_continuation_without_end(address: str, count: int, size: int) -> None:
    with Peer(address) as peer:
        piece = (b"\x00\x01a\x01b" * 4000)[:size]
        peer.send_until_refused(frame(HEADERS, b"", stream=1), *([frame(CONTINUATION, piece, stream=1)] * count))
        assert_was_stopped(peer, ENHANCE_YOUR_CALM, COMPRESSION_ERROR, PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "flood",
    [settings({}), settings({INITIAL_WINDOW_SIZE: 65536}), frame(PING, bytes(8))],
    ids=["settings", "windows", "ping"],
)
def test_a_flood_of_what_has_to_be_answered(address: str, flood: bytes) -> None:
    with Peer(address, reads_slowly=True) as peer:
        peer.send_until_refused(*([flood] * 300_000))
        peer.socket.settimeout(5)
        try:
            assert_was_stopped(peer, ENHANCE_YOUR_CALM)
        except TimeoutError:
            pytest.fail("the server still listens to a peer that reads nothing")


@pytest.mark.parametrize(
    "flood",
    [
        data(1, b""),
        frame(DATA, b"\x00", flags=PADDED, stream=1),
        frame(DATA, b"\x07" + bytes(7), flags=PADDED, stream=1),
        frame(PRIORITY, struct.pack(">IB", 0, 1), stream=1),
        frame(0xBE),
        frame(RST_STREAM, struct.pack(">I", 8), stream=1),
    ],
    ids=["empty data", "no padding", "padding", "priority", "unknown", "reset"],
)
def test_a_flood_of_what_carries_nothing(address: str, flood: bytes) -> None:
    with Peer(address) as peer:
        peer.send(peer.headers(peer.new_stream(), CALL))
        peer.send_until_refused(*([flood] * 200_000))
        assert_was_stopped(peer, ENHANCE_YOUR_CALM)


def test_a_flood_of_window_updates(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, message(large(5000)), ends=True))
        peer.send_until_refused(*([window_update(stream, 1) + window_update(0, 1)] * 50_000))
        while not peer.stream(stream).over and peer.read_frame():
            pass
        assert peer.goaways or peer.stream(stream).status == OK


def test_a_flood_behind_a_fault(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            peer = stack.enter_context(Peer(address))
            peer.send_until_refused(frame(PING, b"short"), *([bytes(16384)] * 1000), patience_s=2)


def test_a_bomb_of_headers(address: str) -> None:
    with Peer(address) as peer:
        peer.send(peer.headers(peer.new_stream(), call("/nowhere/Nothing", ("x", "y" * 3900)), ends=True))
        block = peer.encoder.encode(CALL) + b"\xbe" * 60_000  # the newest entry of the table, again and again
        for _ in range(50):
            stream = peer.new_stream()
            pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
            head = frame(HEADERS, pieces[0], stream=stream)
            rest = [frame(CONTINUATION, each, stream=stream) for each in pieces[1:-1]]
            last = frame(CONTINUATION, pieces[-1], stream=stream, flags=END_HEADERS)
            peer.send_until_refused(head, *rest, last)
        assert_was_stopped(peer, COMPRESSION_ERROR, ENHANCE_YOUR_CALM)


def test_large_headers_of_many_calls(address: str) -> None:
    with Peer(address) as peer:
        padding = [(f"x-{number}", "v" * 1000) for number in range(7)]
        for _ in range(60):
            stream = peer.open(call(INFER, *padding))
            peer.send(data(stream, GOOD[:3]))
        peer.round_trip()
        assert peer.goaways == []


def test_a_flood_of_headers_that_take_long_to_unpack(address: str) -> None:
    with Peer(address) as peer:
        block = peer.encoder.encode([*CALL, ("x", "e" * 60_000)])
        pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)]
        assert len(pieces) > 2
        for _ in range(200):
            stream = peer.new_stream()
            peer.send_until_refused(
                frame(HEADERS, pieces[0], stream=stream),
                *(frame(CONTINUATION, each, stream=stream) for each in pieces[1:-1]),
                frame(CONTINUATION, pieces[-1], stream=stream, flags=END_HEADERS),
            )
        assert_was_stopped(peer, ENHANCE_YOUR_CALM)


def test_messages_that_are_announced_and_never_come(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            peer = stack.enter_context(Peer(address))
            for _ in range(2):
                peer.send(data(peer.open(CALL), struct.pack(">BI", 0, 60 * MIB) + b"x"))
        peer.round_trip()


def test_messages_that_are_never_finished(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            peer = stack.enter_context(Peer(address))
            peer.send(data(peer.open(CALL), message(large(50_000))[:16384]))


def test_answers_that_nobody_reads(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            peer = stack.enter_context(Peer(address, {INITIAL_WINDOW_SIZE: 0}))
            for _ in range(10):
                peer.send(data(peer.open(CALL), message(large(4000)), ends=True))


def test_connections_that_come_and_go(address: str) -> None:
    for number in range(300):
        with Peer(address) as peer:
            peer.send(peer.headers(1, CALL), data(1, GOOD[: number % 20]))


def test_answers_that_are_not_read_are_bounded(open_door, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    monkeypatch.setattr("ovserve.http2.limits.Limits.held_bytes", MIB)
    with Peer(open_door().address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        streams = []
        for _ in range(15):
            streams.append(peer.open(CALL))
            content = message(large(25_000))
            pieces = [content[at : at + 16384] for at in range(0, len(content), 16384)]
            peer.send(*(data(streams[-1], piece, ends=piece is pieces[-1]) for piece in pieces))
            peer.wait(lambda: peer.stream(streams[-1]).blocks)
        refused = [stream for stream in streams if peer.stream(stream).over]
        assert refused == streams[10:]
        assert {peer.stream(stream).status for stream in refused} == {RESOURCE_EXHAUSTED}
        peer.send(*map(reset, streams[:10]))
        again = peer.open(CALL)
        peer.send(window_update(again, 1000), data(again, GOOD, ends=True))
        assert peer.wait_end(again).status == OK


def test_a_ping_for_each_answer_is_no_attack(address: str) -> None:
    """Go's client measures its connection so, as often as it is answered."""
    with Peer(address) as peer:
        peer.send(window_update(0, 1 << 24))
        for _ in range(80):
            streams = [peer.new_stream() for _ in range(200)]
            for stream in streams:
                peer.send(
                    peer.headers(stream, call(LIVE)), data(stream, message(b""), ends=True), frame(PING, bytes(8))
                )
            peer.wait(lambda: peer.stream(streams[-1]).over)  # noqa: B023 - it is called at once
            peer.streams.clear()
            peer.frames.clear()
        peer.wait(lambda: len(peer.pongs) == 16_000)
        assert peer.goaways == []


def test_calls_that_run_out_of_time_are_no_attack(address: str) -> None:
    with Peer(address) as peer:
        for _ in range(3000):
            stream = peer.open(call(INFER, ("grpc-timeout", "1n")))
            peer.send(data(stream, GOOD), reset(stream))
        peer.round_trip()
        assert peer.goaways == []


def test_a_server_without_files_to_open_goes_on_with_those_it_has(
    serve: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    small_models.save(small_models.add_one([-1]), tmp_path / "grow/1")
    few = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (100, 100))
    server = serve("--model_repository", str(tmp_path), prepare=few)
    with Peer(server.address) as peer, ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(Peer(server.address, preface=b""))
        began_s = time.monotonic()
        for _ in range(50):
            assert_well(peer)
        assert time.monotonic() - began_s < MOST_WAIT_S / 4
        stack.close()
        assert_serves(server.address)
