"""Frames that break the rules of HTTP/2, and unusual ones that keep them (RFC 9113, 4 to 6)."""

import struct
from itertools import pairwise

import pytest

from http2_calls import CALL, GOOD, INFER, LIVE, OK, assert_good, assert_well, call
from http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Peer,
    data,
    frame,
    message,
    reset,
    settings,
    window_update,
)
from http2_verdicts import assert_connection_error, assert_stream_error

NO_DEPENDENCY = struct.pack(">IB", 0, 15)


# What ends the connection


@pytest.mark.parametrize(
    "wrong",
    [
        data(1, b"x"),
        data(5, b"x", ends=True),
        reset(1),
        window_update(1, 10),
        frame(CONTINUATION, b"\x82", flags=END_HEADERS, stream=1),
        data(0, b"x"),
        frame(HEADERS, b"\x82", flags=END_HEADERS, stream=0),
        frame(PRIORITY, NO_DEPENDENCY, stream=0),
        reset(0),
        frame(PING, bytes(8), stream=1),
        frame(GOAWAY, bytes(8), stream=1),
        frame(PUSH_PROMISE, struct.pack(">I", 2) + b"\x82", flags=END_HEADERS, stream=1),
        window_update(0, 0),
        data(2, b"x"),
        frame(HEADERS, b"\x82", flags=END_HEADERS | END_STREAM, stream=2),
    ],
    ids=[
        "data before headers",
        "data on a later idle stream",
        "reset of an idle stream",
        "window of an idle stream",
        "continuation of nothing",
        "data on the connection",
        "headers on the connection",
        "priority of the connection",
        "reset of the connection",
        "ping on a stream",
        "goaway on a stream",
        "promise by a client",
        "window by nothing",
        "data on the server's stream",
        "headers on the server's stream",
    ],
)
def test_a_frame_where_none_may_be_ends_the_connection(address: str, wrong: bytes) -> None:
    with Peer(address) as peer:
        peer.send(wrong)
        assert_connection_error(peer, PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "wrong",
    [
        frame(PING, bytes(7)),
        frame(PING, bytes(9)),
        frame(PING),
        frame(PING, bytes(7), flags=ACK),
        frame(WINDOW_UPDATE, bytes(3)),
        frame(WINDOW_UPDATE, bytes(5), stream=1),
        frame(RST_STREAM, bytes(3), stream=1),
        frame(RST_STREAM, bytes(5), stream=1),
        frame(GOAWAY, bytes(7)),
        frame(SETTINGS, bytes(6 * 2 + 1)),
    ],
    ids=lambda wrong: f"{wrong[3]}-of-{len(wrong) - 9}",
)
def test_a_frame_of_a_wrong_length_ends_the_connection(address: str, wrong: bytes) -> None:
    with Peer(address) as peer:
        peer.open(CALL)
        peer.send(wrong)
        assert_connection_error(peer, FRAME_SIZE_ERROR)


@pytest.mark.parametrize("kind", [HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE])
def test_a_frame_of_16_megabytes_that_is_no_data_ends_the_connection_before_they_come(address: str, kind: int) -> None:
    with Peer(address) as peer:
        on = 3 if kind == HEADERS else 0
        peer.send(b"\xff\xff\xff" + struct.pack(">BBI", kind, 0, on))
        assert_connection_error(peer, FRAME_SIZE_ERROR)


@pytest.mark.parametrize(
    "between",
    [
        frame(PING, bytes(8)),
        settings({}),
        data(1, b"x"),
        frame(HEADERS, b"\x82", flags=END_HEADERS, stream=3),
        frame(CONTINUATION, b"\x82", flags=END_HEADERS, stream=3),
        frame(0xBE, b"x"),
        reset(1),
        window_update(0, 1),
    ],
    ids=["ping", "settings", "data", "headers", "another stream", "unknown", "reset", "window"],
)
def test_a_header_block_is_not_to_be_interrupted(address: str, between: bytes) -> None:
    with Peer(address) as peer:
        block = peer.encoder.encode(CALL)
        peer.send(frame(HEADERS, block[:20], stream=1), between)
        assert_connection_error(peer, PROTOCOL_ERROR)


def test_a_header_block_that_has_ended_has_no_continuation(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(frame(CONTINUATION, b"\x82", flags=END_HEADERS, stream=stream))
        assert_connection_error(peer, PROTOCOL_ERROR)


@pytest.mark.parametrize("padding", [b"\x05abcd", b"\x01", b"\xff" + bytes(254), b""], ids=["5", "1", "255", "none"])
@pytest.mark.parametrize("kind", [DATA, HEADERS])
def test_padding_as_long_as_its_frame_ends_the_connection(address: str, kind: int, padding: bytes) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL) if kind == DATA else peer.new_stream()
        peer.send(frame(kind, padding, flags=PADDED | END_HEADERS * (kind == HEADERS), stream=stream))
        assert_connection_error(peer, PROTOCOL_ERROR, FRAME_SIZE_ERROR)


@pytest.mark.parametrize("short", [b"", bytes(4)])
def test_headers_too_short_for_their_priority_end_the_connection(address: str, short: bytes) -> None:
    with Peer(address) as peer:
        peer.send(frame(HEADERS, short, flags=WITH_PRIORITY | END_HEADERS, stream=1))
        assert_connection_error(peer, FRAME_SIZE_ERROR, PROTOCOL_ERROR)


@pytest.mark.parametrize("again", [1, 5], ids=["answered", "left out"])
def test_a_stream_below_the_last_is_not_opened(address: str, again: int) -> None:
    with Peer(address) as peer:
        peer.send(peer.headers(1, CALL), data(1, GOOD, ends=True), peer.headers(7, CALL), data(7, GOOD, ends=True))
        assert_good(peer.wait_end(1))
        assert_good(peer.wait_end(7))
        blocks = len(peer.stream(again).blocks)
        peer.send(peer.headers(again, CALL), data(again, GOOD, ends=True), frame(PING, b"finally?"))
        while b"finally?" not in peer.pongs and peer.read_frame():
            pass
        # They may be trailers that crossed the end of a call: the server need not mind, but it must not answer.
        assert len(peer.stream(again).blocks) == blocks
        assert {code for code, _ in peer.goaways} <= {PROTOCOL_ERROR, STREAM_CLOSED}


# What ends a stream


def test_data_after_the_end_of_a_stream_ends_it_at_most(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD, ends=True), data(stream, GOOD, ends=True))
        ended = peer.wait_end(stream)
        if ended.reset is None:
            assert_good(ended)  # it was answered before the second one was looked at
        else:
            assert ended.reset == STREAM_CLOSED
        assert_well(peer)


def test_data_on_a_stream_that_was_answered_does_no_harm(address: str) -> None:
    with Peer(address) as peer:
        assert_well(peer)
        for _ in range(20):
            peer.send(data(1, bytes(16384)))
        assert_well(peer)
        assert_well(peer)


@pytest.mark.parametrize("late", [data(1, GOOD, ends=True), window_update(1, 100), reset(1), frame(0xBE, stream=1)])
def test_frames_that_cross_a_reset_do_no_harm(address: str, late: bytes) -> None:
    with Peer(address) as peer:
        peer.open(CALL)
        peer.send(reset(1), late)
        assert_well(peer)


def test_a_window_grown_by_nothing_ends_its_stream(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(window_update(stream, 0))
        assert_stream_error(peer, stream, PROTOCOL_ERROR)


@pytest.mark.parametrize("length", [0, 4, 6])
def test_a_priority_of_a_wrong_length_ends_its_stream_or_all(address: str, length: int) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(frame(PRIORITY, bytes(length), stream=stream))
        while not peer.stream(stream).over and peer.read_frame():
            pass
        codes = [code for code, _ in peer.goaways] or [peer.stream(stream).reset]
        assert codes == [FRAME_SIZE_ERROR]


# What is unusual, and right


@pytest.mark.parametrize("kind", [0x0A, 0x0C, 0x10, 0xFF])
@pytest.mark.parametrize("on", [0, 1, 99, 2])
def test_frames_of_unknown_kinds_are_ignored(address: str, kind: int, on: int) -> None:
    with Peer(address) as peer:
        peer.send(frame(kind, bytes(100), flags=0xFF, stream=on))
        assert_well(peer)
        peer.send(frame(kind, b"", flags=0xFF, stream=on))
        assert_well(peer)


def test_flags_and_a_bit_that_mean_nothing_are_ignored(address: str) -> None:
    with Peer(address) as peer:
        peer.send(frame(SETTINGS, flags=0xFE), frame(PING, bytes(8), flags=0xFE))
        peer.send(frame(WINDOW_UPDATE, struct.pack(">I", 1 << 31 | 5), flags=0xFF, stream=0))
        stream = peer.new_stream()
        headers = frame(HEADERS, peer.encoder.encode(CALL), flags=END_HEADERS | 0xD2, stream=stream)
        reserved = bytearray(headers + data(stream, GOOD, ends=True))
        reserved[5] |= 0x80
        peer.send(bytes(reserved))
        assert_good(peer.wait_end(stream))
        assert bytes(8) in peer.pongs


@pytest.mark.parametrize("padding", [0, 1, 200, 255])
def test_padding_is_left_out(address: str, padding: int) -> None:
    with Peer(address) as peer:
        stream = peer.new_stream()
        block = bytes([padding]) + peer.encoder.encode(CALL) + bytes(padding)
        peer.send(frame(HEADERS, block, flags=END_HEADERS | PADDED, stream=stream))
        for byte in GOOD[:-1]:
            peer.send(frame(DATA, bytes([padding, byte]) + bytes(padding), flags=PADDED, stream=stream))
        last = bytes([padding]) + GOOD[-1:] + bytes(padding)
        peer.send(frame(DATA, last, flags=PADDED | END_STREAM, stream=stream))
        assert_good(peer.wait_end(stream))
        assert_well(peer)


def test_padding_alone_is_empty_data(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD), frame(DATA, b"\x10" + bytes(16), flags=PADDED | END_STREAM, stream=stream))
        assert_good(peer.wait_end(stream))


@pytest.mark.parametrize("padding", [b"", b"\x07"], ids=["bare", "padded"])
def test_headers_with_a_priority_are_taken(address: str, padding: bytes) -> None:
    with Peer(address) as peer:
        stream = peer.new_stream()
        block = padding + struct.pack(">IB", 1 << 31 | 99, 3) + peer.encoder.encode(CALL) + bytes(sum(padding))
        flags = END_HEADERS | WITH_PRIORITY | PADDED * bool(padding)
        peer.send(frame(HEADERS, block, flags=flags, stream=stream), data(stream, GOOD, ends=True))
        assert_good(peer.wait_end(stream))


@pytest.mark.parametrize("on", [1, 3, 99, 4])
def test_priorities_are_ignored_whatever_the_stream(address: str, on: int) -> None:
    with Peer(address) as peer:
        peer.send(frame(PRIORITY, NO_DEPENDENCY, stream=on))
        assert_well(peer)
        peer.send(frame(PRIORITY, NO_DEPENDENCY, stream=on))
        assert_well(peer)


@pytest.mark.parametrize("pieces", [[0], [1], [0, 0, 5, 20], list(range(1, 60))], ids=len)
def test_a_header_block_may_come_in_pieces(address: str, pieces: list[int]) -> None:
    with Peer(address) as peer:
        stream = peer.new_stream()
        block = peer.encoder.encode(CALL)
        cuts = [0, *pieces, len(block)]
        parts = [block[start:end] for start, end in pairwise(cuts)]
        peer.send(frame(HEADERS, parts[0], stream=stream))
        for part in parts[1:-1]:
            peer.send(frame(CONTINUATION, part, stream=stream))
        peer.send(frame(CONTINUATION, parts[-1], flags=END_HEADERS, stream=stream), data(stream, GOOD, ends=True))
        assert_good(peer.wait_end(stream))


def test_ids_may_be_left_out_and_go_to_the_very_last(address: str) -> None:
    with Peer(address) as peer:
        for stream in (1, 9, 1001, 2**31 - 1):
            peer.send(peer.headers(stream, CALL), data(stream, GOOD, ends=True))
            assert_good(peer.wait_end(stream))


def test_every_byte_of_a_connection_may_come_alone(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.new_stream()
        for byte in frame(PING, b"12345678") + peer.headers(stream, CALL) + data(stream, GOOD, ends=True):
            peer.send(bytes([byte]))
        assert_good(peer.wait_end(stream))
        assert peer.pongs == [b"12345678"]


def test_a_hundred_calls_may_come_in_one_piece(address: str) -> None:
    with Peer(address) as peer:
        paths = {peer.new_stream(): LIVE if number % 10 else INFER for number in range(100)}
        content = {LIVE: message(b""), INFER: GOOD}
        peer.send(*(peer.headers(on, call(path)) + data(on, content[path], ends=True) for on, path in paths.items()))
        for on, path in paths.items():
            assert peer.wait_end(on).status == OK
            if path == INFER:
                assert_good(peer.stream(on))
