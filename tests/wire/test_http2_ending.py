"""How calls and connections end: RST_STREAM, GOAWAY, PING, deadlines, and a server that stops."""

import re
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from grpc_door import GrpcDoor
from http2_calls import (
    CALL,
    DEADLINE_EXCEEDED,
    GOOD,
    INFER,
    OK,
    STREAM_INFER,
    UNAVAILABLE,
    assert_good,
    assert_well,
    call,
    grow,
    slow,
)
from http2_peer import (
    ACK,
    CANCEL,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    NO_ERROR,
    PING,
    REFUSED_STREAM,
    Peer,
    data,
    frame,
    message,
    reset,
    window_update,
)
from ovserve.core import Core

ROUNDS = 3000  # of the slow model: two seconds or more


def goaway(last: int = 0, code: int = NO_ERROR) -> bytes:
    return frame(GOAWAY, struct.pack(">II", last, code) + b"bye")


def executed(core: Core, model: str) -> int:
    (row,) = core.dataplane.statistics(model, None)
    return row.counts.executions


# RST_STREAM


@pytest.mark.parametrize(
    "before",
    [
        lambda peer, stream: [],
        lambda peer, stream: [data(stream, GOOD[:3])],
        lambda peer, stream: [data(stream, GOOD[:20])],
        lambda peer, stream: [data(stream, GOOD)],
        lambda peer, stream: [data(stream, GOOD, ends=True)],
        lambda peer, stream: [data(stream, message(slow(20)), ends=True)],
    ],
    ids=["open", "half a prefix", "half a message", "a message", "half closed", "running"],
)
@pytest.mark.parametrize("path", [INFER, STREAM_INFER, "/nowhere/Nothing"])
@pytest.mark.parametrize("code", [NO_ERROR, CANCEL, 0xFFFFFFFF])
def test_a_client_may_reset_a_call_at_any_time(
    address: str, before: Callable[[Peer, int], list[bytes]], path: str, code: int
) -> None:
    with Peer(address) as peer:
        for _ in range(3):
            stream = peer.open(call(path))
            peer.send(*before(peer, stream), reset(stream, code))
        assert_well(peer)
        assert peer.goaways == []


def test_a_call_that_was_answered_may_be_reset(address: str) -> None:
    with Peer(address) as peer:
        assert_well(peer)
        peer.send(reset(1), reset(1), reset(1))
        assert_well(peer)


def test_calls_that_were_reset_leave_the_models_queue(address: str, core: Core) -> None:
    with Peer(address) as peer:
        before = executed(core, "slow")
        streams = [peer.open(CALL) for _ in range(20)]
        for stream in streams:
            peer.send(data(stream, message(slow(300)), ends=True))
        peer.round_trip()
        peer.send(*map(reset, streams))
        ended = peer.ask(CALL, message(slow(1)))
        assert ended.status == OK
        assert executed(core, "slow") - before < 15
        assert_well(peer)


def test_calls_of_a_connection_that_ends_leave_the_models_queue(address: str, core: Core) -> None:
    before = executed(core, "slow")
    with Peer(address) as peer:
        for _ in range(20):
            stream = peer.open(CALL)
            peer.send(data(stream, message(slow(300)), ends=True))
        peer.round_trip()
    with Peer(address) as peer:
        assert peer.ask(CALL, message(slow(1))).status == OK
    assert executed(core, "slow") - before < 15


def test_an_answer_that_waits_for_its_window_may_be_reset(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        streams = [peer.open(CALL) for _ in range(10)]
        for stream in streams:
            peer.send(data(stream, GOOD, ends=True))
        peer.wait(lambda: all(peer.stream(stream).blocks for stream in streams))
        peer.send(*map(reset, streams))
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD, ends=True), window_update(stream, 1000))
        assert_good(peer.wait_end(stream))


# PING and GOAWAY


def test_pings_are_answered_with_what_they_carry(address: str) -> None:
    with Peer(address) as peer:
        tokens = [bytes([number] * 8) for number in range(100)]
        peer.send(*(frame(PING, token) for token in tokens))
        peer.wait(lambda: len(peer.pongs) == 100)
        assert peer.pongs == tokens
        assert_well(peer)


def test_answers_to_pings_that_nobody_sent_are_ignored(address: str) -> None:
    with Peer(address) as peer:
        peer.send(frame(PING, b"whatever", flags=ACK))
        assert_well(peer)
        assert peer.pongs == []


def test_a_ping_is_answered_while_calls_run(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, message(slow(ROUNDS)), ends=True))
        peer.round_trip()
        assert not peer.stream(stream).over


def test_a_client_that_says_goodbye_gets_its_answers(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, message(slow(50)), ends=True), goaway())
        assert peer.wait_end(stream).status == OK


def test_a_client_that_closes_its_half_of_the_connection_ends_it(address: str) -> None:
    with Peer(address) as peer:
        assert_well(peer)
        peer.socket.shutdown(1)
        peer.read_to_end()


# Deadlines


@pytest.mark.parametrize("timeout", ["1H", "99999999S", "60S", "00000060S", "1M", "99999m", "99999999u", "99999999H"])
def test_calls_with_time_enough_are_answered(address: str, timeout: str) -> None:
    with Peer(address) as peer:
        assert_good(peer.ask(call(INFER, ("grpc-timeout", timeout)), GOOD))


@pytest.mark.parametrize("timeout", ["0S", "0m", "0n", "1n", "999n", "1u"])
def test_a_call_whose_time_is_over_is_told_so(address: str, timeout: str) -> None:
    with Peer(address) as peer:
        assert peer.ask(call(INFER, ("grpc-timeout", timeout)), GOOD).status == DEADLINE_EXCEEDED
        assert_well(peer)


@pytest.mark.parametrize("timeout", ["100m", "100000u", "99999999n"])
def test_a_call_that_waits_for_the_model_is_told_when_its_time_is_over(address: str, timeout: str) -> None:
    with Peer(address) as peer:
        running = [peer.open(CALL) for _ in range(8)]
        for stream in running:
            peer.send(data(stream, message(slow(1000)), ends=True))
        assert peer.ask(call(INFER, ("grpc-timeout", timeout)), message(slow(1))).status == DEADLINE_EXCEEDED
        peer.send(*map(reset, running))
        assert_well(peer)


@pytest.mark.parametrize("timeout", ["", "S", "10", "-1S", "+1S", "1.5S", " 1S", "1 S", "123456789S", "1s", "1h", "٣S"])
def test_a_timeout_that_is_none_ends_its_call_at_most(address: str, timeout: str) -> None:
    with Peer(address) as peer:
        assert peer.ask(call(INFER, ("grpc-timeout", timeout.encode())), GOOD).over
        assert_well(peer)


# A server that stops


def begin_call(peer: Peer, rounds: int) -> int:
    """Begin one that takes its time, and is in flight when this returns."""
    running = peer.open(CALL)
    peer.send(data(running, message(slow(rounds)), ends=True))
    peer.round_trip()
    return running


def stop_in_background(door: GrpcDoor, grace_s: float) -> threading.Thread:
    stopping = threading.Thread(target=door.stop, args=(grace_s,))
    stopping.start()
    return stopping


def test_calls_in_flight_end_well_when_the_server_stops(open_door: Callable[..., GrpcDoor]) -> None:
    door = open_door()
    with Peer(door.address) as peer:
        running = begin_call(peer, 500)
        stopping = stop_in_background(door, 30)
        peer.wait(lambda: peer.goaways)
        code, last = peer.goaways[-1]
        assert code == NO_ERROR
        assert last >= running
        assert peer.wait_end(running).status == OK
        peer.read_to_end()
        stopping.join(30)
        assert not stopping.is_alive()


def test_calls_that_cross_the_servers_goodbye_end_none_that_are_in_flight(open_door: Callable[..., GrpcDoor]) -> None:
    door = open_door()
    with Peer(door.address) as peer:
        running = begin_call(peer, 500)
        stopping = stop_in_background(door, 30)
        peer.wait(lambda: peer.goaways)
        late = [peer.open(CALL) for _ in range(3)]
        peer.send(data(late[0], GOOD), window_update(late[0], 100), data(late[1], GOOD, ends=True), reset(late[2]))
        peer.send(peer.headers(late[0], [("x", "y")], ends=True), frame(HEADERS, b"", flags=0, stream=late[-1] + 2))
        peer.send(frame(9, peer.encoder.encode(CALL), flags=END_HEADERS | END_STREAM, stream=late[-1] + 2))
        assert peer.wait_end(running).status == OK
        for stream in late:
            ended = peer.stream(stream)
            if stream > peer.goaways[-1][1]:
                assert ended.reset in {None, REFUSED_STREAM}
                assert ended.blocks == []
            elif ended.ended:
                assert ended.status in {OK, UNAVAILABLE}
        peer.read_to_end()
        stopping.join(30)


def test_what_takes_longer_than_the_grace_is_told_so(open_door: Callable[..., GrpcDoor]) -> None:
    door = open_door()
    with Peer(door.address) as peer:
        running = begin_call(peer, ROUNDS)
        stopping = stop_in_background(door, 0.1)
        while not peer.stream(running).over and peer.read_frame():
            pass
        if peer.stream(running).ended:
            assert peer.stream(running).status == UNAVAILABLE
        peer.read_to_end()
        stopping.join(30)
        assert not stopping.is_alive()


def test_an_answer_that_the_client_does_not_read_does_not_keep_the_server(open_door: Callable[..., GrpcDoor]) -> None:
    door = open_door()
    with Peer(door.address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD, ends=True))
        peer.wait(lambda: peer.stream(stream).blocks)
        stopping = stop_in_background(door, 0.2)
        peer.read_to_end()
        stopping.join(30)
        assert not stopping.is_alive()


def test_a_server_that_has_stopped_leaves_no_thread_and_no_file(open_door: Callable[..., GrpcDoor]) -> None:
    def threads() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if re.fullmatch(r"grpc_\d+|grpc-sweep", each.name)}

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    threads_before, files_before = threads(), files()
    door = open_door()
    with Peer(door.address) as peer, Peer(door.address) as other:
        assert_well(peer)
        assert_well(other)
        door.stop()
    for each in threads() - threads_before:
        each.join(30)
    assert threads() <= threads_before
    assert files() <= files_before


class Asking(threading.Thread):
    """A client that keeps ten calls in flight until its connection ends."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.ready = threading.Event()
        self.peer: Peer | None = None

    def run(self) -> None:
        with Peer(self.address, {INITIAL_WINDOW_SIZE: 1 << 20}) as self.peer:
            self.peer.send(window_update(0, 1 << 30))
            while not self.peer.closed:
                self.ask()
                self.peer.read_frame()

    def ask(self) -> None:
        peer = self.peer
        done = sum(stream.over for stream in peer.streams.values())
        if done > 50:
            self.ready.set()
        try:
            while not peer.goaways and peer._next // 2 - done < 10:
                stream = peer.open(CALL)
                peer.stream(stream)
                peer.send(data(stream, message(grow(*range(500))), ends=True))
        except OSError:
            peer.read_to_end()


@pytest.mark.parametrize("_round", range(4))
def test_no_call_that_was_taken_is_lost_when_a_server_stops_under_load(
    open_door: Callable[..., GrpcDoor], core: Core, _round: int
) -> None:
    door = open_door()
    before = executed(core, "grow")
    clients = [Asking(door.address) for _ in range(3)]
    for client in clients:
        client.start()
    for client in clients:
        assert client.ready.wait(30)
    door.stop(30)
    for client in clients:
        client.join(30)
    answered = 0
    for client in clients:
        (_, last), *_ = reversed(client.peer.goaways)
        for number, stream in client.peer.streams.items():
            if number <= last:
                assert stream.status == OK
                answered += 1
            else:
                assert stream.blocks == []
    assert executed(core, "grow") - before == answered
