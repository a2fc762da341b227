"""Windows, in both directions (RFC 9113, 5.2 and 6.9)."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from grpc_door import GrpcDoor
from http2_calls import CALL, GOOD, OK, assert_good, assert_serves, assert_well, call, large
from http2_peer import (
    DATA,
    FIRST_WINDOW,
    FLOW_CONTROL_ERROR,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    MAX_FRAME_SIZE,
    PADDED,
    PROTOCOL_ERROR,
    Peer,
    data,
    frame,
    message,
    reset,
    settings,
    window_update,
)
from http2_verdicts import assert_connection_error, assert_stream_error

COUNT = 100_000  # numbers of a large call, four bytes each


def ask_large(peer: Peer, count: int = COUNT) -> int:
    stream = peer.open(CALL)
    send_at_once(peer, stream, message(large(count)))
    return stream


def send_at_once(peer: Peer, stream: int, content: bytes) -> None:
    """Send DATA to a call's end, whatever the server's windows allow."""
    pieces = [content[at : at + 16384] for at in range(0, len(content), 16384)]
    peer.send(*(data(stream, piece, ends=piece is pieces[-1]) for piece in pieces))


def got(peer: Peer, stream: int) -> int:
    return len(peer.stream(stream).data)


def assert_stops_at(peer: Peer, stream: int, size: int) -> None:
    """So many bytes of the answer come, and no more although there is time."""
    peer.wait(lambda: got(peer, stream) >= size)
    peer.round_trip()
    peer.round_trip()
    assert got(peer, stream) == size


# What the server sends


def test_an_answer_comes_in_the_pieces_that_the_client_allows(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        stream = ask_large(peer)
        peer.wait(lambda: peer.stream(stream).blocks)
        assert_stops_at(peer, stream, 0)
        size = 0
        for piece in (1, 4, 5, 1000, 40_000):
            peer.send(window_update(stream, piece))
            size += piece
            assert_stops_at(peer, stream, size)
        peer.send(window_update(stream, 1 << 20), window_update(0, 1 << 20))
        assert peer.wait_end(stream).status == OK
        assert len(peer.stream(stream).messages[0]) > COUNT * 4


def test_a_connections_window_bounds_all_its_calls(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 1 << 30}) as peer:
        streams = [ask_large(peer) for _ in range(3)]
        peer.wait(lambda: sum(got(peer, stream) for stream in streams) >= FIRST_WINDOW)
        peer.round_trip()
        assert sum(got(peer, stream) for stream in streams) == FIRST_WINDOW
        peer.send(window_update(0, 10))
        peer.wait(lambda: sum(got(peer, stream) for stream in streams) >= FIRST_WINDOW + 10)
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        assert [peer.wait_end(stream).status for stream in streams] == [OK] * 3


def test_a_call_that_waits_for_its_window_holds_up_no_other(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 10}) as peer:
        waiting = [ask_large(peer) for _ in range(10)]
        quick = peer.open(CALL)
        peer.send(window_update(quick, 1000), data(quick, GOOD, ends=True))
        assert_good(peer.wait_end(quick))
        assert not any(peer.stream(stream).over for stream in waiting)
        assert_serves(address)


def test_a_window_changed_in_mid_flight_holds_for_calls_that_are_there(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 1000}) as peer:
        stream = ask_large(peer)
        assert_stops_at(peer, stream, 1000)
        peer.send(settings({INITIAL_WINDOW_SIZE: 1500}))
        assert_stops_at(peer, stream, 1500)
        peer.send(settings({INITIAL_WINDOW_SIZE: 200}))  # so the window is -1300
        peer.wait(lambda: peer.acknowledged == 3)
        peer.send(window_update(stream, 1300))
        assert_stops_at(peer, stream, 1500)
        peer.send(window_update(stream, 7))
        assert_stops_at(peer, stream, 1507)
        peer.send(settings({INITIAL_WINDOW_SIZE: 1 << 20}), window_update(0, 1 << 20))
        assert peer.wait_end(stream).status == OK


def test_a_client_that_wants_16_kilobytes_a_frame_gets_no_more(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: LARGEST_WINDOW, MAX_FRAME_SIZE: 1 << 14}) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        assert peer.wait_end(ask_large(peer)).status == OK
        assert max(each.body_len for each in peer.frames if each.type == DATA) <= 1 << 14


def test_trailers_need_no_window(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        assert peer.ask(call("/nowhere/Nothing"), GOOD).status
        stream = peer.open(CALL)
        peer.send(data(stream, message(b"\xff"), ends=True))
        assert peer.wait_end(stream).status


@pytest.mark.parametrize("step", [1, 7])
def test_an_answer_in_single_bytes_arrives(address: str, step: int) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: 0}) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD, ends=True))
        while not peer.stream(stream).over:
            peer.send(window_update(stream, step))
            peer.round_trip()
        assert_good(peer.stream(stream))


# A client that reads nothing


def test_clients_that_never_read_hold_up_nobody(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            peer = stack.enter_context(Peer(address, {INITIAL_WINDOW_SIZE: LARGEST_WINDOW}, reads_slowly=True))
            peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
            for _ in range(3):
                ask_large(peer, 300_000)
        for _ in range(20):
            assert_serves(address)


def test_a_reader_that_wakes_up_gets_all_of_it(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: LARGEST_WINDOW}, reads_slowly=True) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        streams = [ask_large(peer, 500_000) for _ in range(3)]
        assert_serves(address)
        for stream in streams:
            assert peer.wait_end(stream).status == OK
            assert len(peer.stream(stream).messages[0]) > 2_000_000
        assert_well(peer)


# Windows that are too large


def test_a_streams_window_beyond_the_limit_ends_the_stream(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(window_update(stream, LARGEST_WINDOW))
        assert_stream_error(peer, stream, FLOW_CONTROL_ERROR)


def test_a_connections_window_beyond_the_limit_ends_the_connection(address: str) -> None:
    with Peer(address) as peer:
        peer.send(window_update(0, LARGEST_WINDOW))
        assert_connection_error(peer, FLOW_CONTROL_ERROR)


def test_a_connections_window_up_to_the_limit_is_taken(address: str) -> None:
    with Peer(address) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        assert_well(peer)


def test_settings_that_make_a_window_too_large_end_the_connection(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(window_update(stream, LARGEST_WINDOW - FIRST_WINDOW))
        peer.send(settings({INITIAL_WINDOW_SIZE: FIRST_WINDOW + 1}))
        assert_connection_error(peer, FLOW_CONTROL_ERROR)


def test_a_connections_window_grown_by_nothing_ends_it(address: str) -> None:
    with Peer(address) as peer:
        peer.send(window_update(0, 0))
        assert_connection_error(peer, PROTOCOL_ERROR)


# What the server receives


def may_send(peer: Peer, stream: int) -> int:
    """Count the bytes of DATA that a call may have sent, of what a connection allows each of its calls and this one."""
    return peer.theirs.get(INITIAL_WINDOW_SIZE, FIRST_WINDOW) + peer.granted.get(stream, 0)


def send_politely(peer: Peer, stream: int, content: bytes, frame_size: int = 16384) -> None:
    """Send DATA as the server's windows allow, and wait where they do not."""
    sent = 0
    while sent < len(content):
        piece = content[sent : sent + frame_size]
        needed = sent + len(piece)
        peer.wait(lambda needed=needed: needed <= may_send(peer, stream))
        sent = needed
        peer.send(data(stream, piece, ends=sent == len(content)))


def test_a_large_message_is_let_in(address: str) -> None:
    with Peer(address, {INITIAL_WINDOW_SIZE: LARGEST_WINDOW}) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        peer.wait(lambda: peer.acknowledged)
        for _ in range(3):
            stream = peer.open(CALL)
            send_politely(peer, stream, message(large(3_000_000)))
            assert peer.wait_end(stream).status == OK
            assert len(peer.stream(stream).messages[0]) > 12_000_000


def test_after_a_large_message_others_like_it_are_let_in_at_once(address: str) -> None:
    content = message(large(1_000_000))
    with Peer(address, {INITIAL_WINDOW_SIZE: LARGEST_WINDOW}) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        peer.wait(lambda: peer.acknowledged)
        before, early = peer.theirs[INITIAL_WINDOW_SIZE], peer.open(CALL)
        assert before < len(content)
        send_politely(peer, stream := peer.open(CALL), content)
        assert peer.wait_end(stream).status == OK
        assert peer.theirs[INITIAL_WINDOW_SIZE] >= len(content)
        for stream in (early, peer.open(CALL)):  # a window that grows does so for calls that are open
            send_at_once(peer, stream, content)
            assert peer.wait_end(stream).status == OK
            assert stream not in peer.granted


def test_the_window_grows_to_16_mib_at_most(open_door: Callable[..., GrpcDoor]) -> None:
    with Peer(open_door(message_bytes=32 << 20).address, {INITIAL_WINDOW_SIZE: LARGEST_WINDOW}) as peer:
        peer.send(window_update(0, LARGEST_WINDOW - FIRST_WINDOW))
        peer.wait(lambda: peer.acknowledged)
        send_politely(peer, stream := peer.open(CALL), message(large(5_000_000)))
        assert peer.wait_end(stream).status == OK
        assert peer.theirs[INITIAL_WINDOW_SIZE] == 16 << 20


def test_padding_counts_and_is_given_back(address: str) -> None:
    with Peer(address) as peer:
        peer.wait(lambda: peer.acknowledged)
        stream = peer.open(CALL)
        padded = frame(DATA, b"\xff" + GOOD[:1] + bytes(255), flags=PADDED, stream=stream)
        peer.send(padded)
        only = frame(DATA, b"\xff" + bytes(255), flags=PADDED, stream=stream)
        sent = 257
        for _ in range(9000):
            sent += 256
            peer.wait(lambda needed=sent: needed <= may_send(peer, stream))
            peer.send(only)
        peer.send(data(stream, GOOD[1:], ends=True))
        assert_good(peer.wait_end(stream))


def test_a_client_that_sends_more_than_it_may_is_stopped_or_served(address: str) -> None:
    with Peer(address) as peer:
        peer.wait(lambda: peer.acknowledged)
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD))
        excess = may_send(peer, stream) + (1 << 20)
        peer.send_until_refused(*(data(stream, bytes(16384)) for _ in range(excess // 16384)))
        while not peer.stream(stream).over and not peer.goaways and peer.read_frame():
            pass
        codes = {code for code, _ in peer.goaways} | {peer.stream(stream).reset} - {None}
        assert codes == {FLOW_CONTROL_ERROR} or peer.stream(stream).status
    assert_serves(address)


def test_bytes_of_calls_that_were_reset_are_given_back(address: str) -> None:
    with Peer(address) as peer:
        peer.wait(lambda: peer.acknowledged)
        sent = 0
        for _ in range(200):
            stream = peer.open(CALL)
            for _ in range(3):
                sent += 16384
                peer.wait(lambda needed=sent: needed <= FIRST_WINDOW + peer.granted.get(0, 0))
                peer.send(data(stream, message(large(50_000))[:16384]))
            peer.send(reset(stream))
        assert_well(peer)
