"""How long a server waits for a client, and how much of it one client may have."""

import time
from collections.abc import Callable

import pytest

from grpc_door import GrpcDoor
from http2_calls import CALL, GOOD, OK, RESOURCE_EXHAUSTED, assert_good, assert_serves, assert_well, call, large, slow
from http2_peer import (
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    PING,
    PREFACE,
    REFUSED_STREAM,
    Peer,
    data,
    message,
    window_update,
)

Open = Callable[..., GrpcDoor]


# Time


@pytest.mark.parametrize("said", [b"", PREFACE[:10], PREFACE, PREFACE + b"\0\0\0"], ids=len)
def test_who_does_not_greet_in_time_is_sent_away(open_door: Open, said: bytes) -> None:
    with Peer(open_door(handshake_s=0.2).address, preface=said) as peer:
        peer.read_to_end()


def test_who_greets_byte_by_byte_is_sent_away_in_time(open_door: Open) -> None:
    with Peer(open_door(handshake_s=0.3).address, preface=b"") as peer:
        peer.socket.settimeout(0.05)  # between two bytes
        began_s = time.monotonic()
        for byte in PREFACE * 100:
            try:
                peer.send(bytes([byte]))
                if not peer.socket.recv(100):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - began_s < 10


def test_who_shows_no_sign_of_life_is_sent_away(open_door: Open) -> None:
    with Peer(open_door(keepalive_s=0.1, keepalive_timeout_s=0.1).address) as peer:
        peer._answer = lambda content: None
        peer.read_to_end()
        assert PING in {each.type for each in peer.frames}


def test_who_answers_pings_stays(open_door: Open) -> None:
    with Peer(open_door(keepalive_s=0.05, keepalive_timeout_s=5).address) as peer:
        peer.wait(lambda: sum(each.type == PING for each in peer.frames) >= 5)
        assert_well(peer)


def test_who_asks_nothing_for_long_is_told_so_and_sent_away(open_door: Open) -> None:
    with Peer(open_door(idle_s=0.2).address) as peer:
        assert_well(peer)
        peer.read_to_end()
        assert peer.goaways == [(NO_ERROR, 1)]


def test_who_waits_for_an_answer_is_not_idle(open_door: Open) -> None:
    with Peer(open_door(idle_s=0.05).address) as peer:
        assert peer.ask(CALL, message(slow(300))).status == OK


def test_a_connection_that_is_old_ends_after_its_calls(open_door: Open) -> None:
    with Peer(open_door(age_s=0.2).address) as peer:
        running = peer.open(CALL)
        peer.send(data(running, message(slow(3000)), ends=True))
        peer.wait(lambda: peer.goaways)
        assert not peer.stream(running).over
        assert peer.wait_end(running).status == OK
        peer.read_to_end()
        assert peer.goaways == [(NO_ERROR, running)]


def test_a_connection_that_is_old_ends_in_spite_of_its_calls_after_the_grace(open_door: Open) -> None:
    with Peer(open_door(age_s=0.1, age_grace_s=0.1).address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD, ends=True))
        peer.read_to_end()


# Number and size


def test_one_connection_too_many_is_refused_until_another_ends(open_door: Open) -> None:
    door = open_door(connections=2)
    with Peer(door.address) as first:
        with Peer(door.address) as second:
            assert_well(first)
            assert_well(second)
            with Peer(door.address, preface=b"") as third:
                third.read_to_end()
            assert_well(first)
        until_s = time.monotonic() + 30
        while True:
            try:
                assert_serves(door.address)
            except (AssertionError, OSError):
                assert time.monotonic() < until_s
            else:
                break


def test_one_call_too_many_is_refused_until_another_ends(open_door: Open) -> None:
    with Peer(open_door(streams=3).address) as peer:
        peer.wait(lambda: peer.acknowledged)
        assert peer.theirs[MAX_CONCURRENT_STREAMS] == 3
        streams = [peer.open(CALL) for _ in range(5)]
        for stream in streams[3:]:
            assert peer.wait_end(stream).reset == REFUSED_STREAM
        peer.send(*(data(stream, GOOD, ends=True) for stream in streams[:3]))
        for stream in streams[:3]:
            assert_good(peer.wait_end(stream))
        assert_well(peer)


def test_metadata_up_to_the_limit_are_taken(open_door: Open) -> None:
    with Peer(open_door(metadata_bytes=2000).address) as peer:
        room = 2000 - sum(len(name) + len(value) + 32 for name, value in CALL) - len("x") - 32
        assert_good(peer.ask([*CALL, ("x", "v" * room)], GOOD))
        assert peer.theirs[MAX_HEADER_LIST_SIZE] == 2000
        refused = peer.ask([*CALL, ("x", "v" * (room + 1))], GOOD)
        assert refused.status == RESOURCE_EXHAUSTED
        assert "2001" in refused.sentence
        assert_well(peer)


def test_an_answer_that_is_too_large_is_refused(open_door: Open) -> None:
    with Peer(open_door(answer_bytes=1000).address) as peer:
        refused = peer.ask(CALL, message(large(1000)))
        assert refused.status == RESOURCE_EXHAUSTED
        assert "expected at most 1000" in refused.sentence
        assert_well(peer)


def test_messages_that_wait_for_their_answers_are_bounded(open_door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovserve.http2.limits.Limits.held_bytes", 1 << 20)
    with Peer(open_door().address) as peer:
        waiting = [peer.open(CALL) for _ in range(6)]
        for stream in waiting:
            peer.send(data(stream, message(large(50_000))[:16384]))
        refused = [peer.wait_end(stream) for stream in waiting[5:]]
        assert [each.status for each in refused] == [RESOURCE_EXHAUSTED]
        assert not any(peer.stream(stream).over for stream in waiting[:5])
    assert_serves(open_door().address)


@pytest.mark.parametrize("cut", [False, True], ids=["with its end", "end in a frame of its own"])
def test_messages_that_were_answered_count_no_more(open_door: Open, monkeypatch: pytest.MonkeyPatch, cut: bool) -> None:
    monkeypatch.setattr("ovserve.http2.limits.Limits.held_bytes", 300_000)
    content = message(large(50_000))
    with Peer(open_door().address, {INITIAL_WINDOW_SIZE: 1 << 20}) as peer:
        peer.send(window_update(0, 1 << 30))
        for _ in range(10):
            stream = peer.open(call())
            pieces = [content[at : at + 16384] for at in range(0, len(content), 16384)] + [b""] * cut
            peer.send(*(data(stream, piece, ends=piece is pieces[-1]) for piece in pieces))
            assert peer.wait_end(stream).status == OK
