"""How a connection begins: the preface, and SETTINGS (RFC 9113, 3.4 and 6.5)."""

import socket

import pytest

from http2_calls import CALL, GOOD, UNIMPLEMENTED, assert_good, assert_well, call
from http2_peer import (
    ACK,
    ENABLE_PUSH,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    PING,
    PREFACE,
    PROTOCOL_ERROR,
    SETTINGS,
    Peer,
    data,
    frame,
    read_until_closed,
    settings,
)
from http2_verdicts import assert_connection_error


@pytest.mark.parametrize(
    "said",
    [
        b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        settings({}) + frame(PING, bytes(8)),
        PREFACE.replace(b"SM", b"SN") + settings({}),
        PREFACE.replace(b"2.0", b"2.1") + settings({}),
        b"\r\n\r\n" + PREFACE + settings({}),
        bytes(100),
    ],
    ids=["http/1.1", "tls", "none", "wrong end", "wrong version", "late", "zeros"],
)
def test_what_is_no_preface_ends_the_connection(address: str, said: bytes) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(said)
        read_until_closed(connection)


@pytest.mark.parametrize(
    "first",
    [frame(PING, bytes(8)), frame(SETTINGS, flags=ACK), frame(0xBE, b"x")],
    ids=["ping", "acknowledgement", "unknown"],
)
def test_a_connection_that_does_not_begin_with_settings_is_ended(address: str, first: bytes) -> None:
    with Peer(address, preface=PREFACE + first) as peer:
        assert_connection_error(peer, PROTOCOL_ERROR)


def test_a_preface_that_comes_in_single_bytes_is_taken(address: str) -> None:
    with Peer(address, preface=b"") as peer:
        for byte in PREFACE + settings({}):
            peer.send(bytes([byte]))
        assert_well(peer)


def test_all_may_come_at_once(address: str) -> None:
    with Peer(address, preface=b"") as peer:
        stream = peer.new_stream()
        peer.send(PREFACE, settings({}), peer.headers(stream, CALL), data(stream, GOOD, ends=True))
        assert_good(peer.wait_end(stream))


def test_the_server_begins_with_settings_and_acknowledges_each_of_the_clients(address: str) -> None:
    with Peer(address) as peer:
        peer.send(settings({MAX_CONCURRENT_STREAMS: 100}), settings({INITIAL_WINDOW_SIZE: 70_000}))
        peer.wait(lambda: peer.acknowledged == 3)
        assert (peer.frames[0].type, "ACK" in peer.frames[0].flags, peer.frames[0].stream_id) == (SETTINGS, False, 0)
        assert_well(peer)
        assert peer.acknowledged == 3


def test_the_server_says_how_large_a_header_list_and_a_frame_may_be(address: str) -> None:
    with Peer(address) as peer:
        assert_well(peer)
        assert 8 << 10 <= peer.theirs[MAX_HEADER_LIST_SIZE] <= 64 << 10
        assert 1 << 14 <= peer.theirs.get(MAX_FRAME_SIZE, 1 << 14) < 1 << 24
        assert peer.theirs.get(ENABLE_PUSH, 0) == 0


@pytest.mark.parametrize(
    "taken",
    [
        {},
        {0xABCD: 7, 0x0: 1},
        {ENABLE_PUSH: 0},
        {ENABLE_PUSH: 1},
        {MAX_CONCURRENT_STREAMS: 0},
        {MAX_HEADER_LIST_SIZE: 1 << 31},
        {MAX_FRAME_SIZE: (1 << 24) - 1, INITIAL_WINDOW_SIZE: (1 << 31) - 1},
        {HEADER_TABLE_SIZE: 0},
        {HEADER_TABLE_SIZE: (1 << 32) - 1},
    ],
    ids=str,
)
def test_settings_of_any_sense_are_taken(address: str, taken: dict[int, int]) -> None:
    with Peer(address, taken) as peer:
        assert_well(peer)
        peer.send(settings(taken))
        peer.wait(lambda: peer.acknowledged == 2)
        assert_well(peer)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({ENABLE_PUSH: 2}, PROTOCOL_ERROR),
        ({INITIAL_WINDOW_SIZE: 1 << 31}, FLOW_CONTROL_ERROR),
        ({INITIAL_WINDOW_SIZE: (1 << 32) - 1}, FLOW_CONTROL_ERROR),
        ({MAX_FRAME_SIZE: (1 << 14) - 1}, PROTOCOL_ERROR),
        ({MAX_FRAME_SIZE: 0}, PROTOCOL_ERROR),
        ({MAX_FRAME_SIZE: 1 << 24}, PROTOCOL_ERROR),
    ],
    ids=str,
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_settings_out_of_range_end_the_connection(address: str, wrong: dict[int, int], code: int, first: bool) -> None:
    with Peer(address, wrong if first else {}) as peer:
        if not first:
            assert_well(peer)
            peer.send(settings(wrong))
        assert_connection_error(peer, code)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (frame(SETTINGS, bytes(5)), FRAME_SIZE_ERROR),
        (frame(SETTINGS, bytes(7)), FRAME_SIZE_ERROR),
        (frame(SETTINGS, bytes(6), flags=ACK), FRAME_SIZE_ERROR),
        (frame(SETTINGS, bytes(6), stream=1), PROTOCOL_ERROR),
        (frame(SETTINGS, stream=2), PROTOCOL_ERROR),
    ],
    ids=["short", "long", "acknowledgement with values", "on a stream", "empty on a stream"],
)
def test_settings_of_a_wrong_form_end_the_connection(address: str, wrong: bytes, code: int) -> None:
    with Peer(address) as peer:
        peer.send(wrong)
        assert_connection_error(peer, code)


def test_an_encoder_without_a_table_is_what_a_client_without_one_gets(address: str) -> None:
    with Peer(address, {HEADER_TABLE_SIZE: 0}) as peer:
        peer.wait(lambda: peer.acknowledged)
        peer.decoder.max_allowed_table_size = 0  # from here on it minds
        for _ in range(3):
            assert_well(peer)
        assert peer.ask(call("/nowhere/Nothing"), GOOD).status == UNIMPLEMENTED


def test_a_table_that_shrinks_and_grows_while_calls_go_on_is_followed(address: str) -> None:
    with Peer(address) as peer:
        for size in (4096, 0, 100, 4096, 64):
            before = peer.acknowledged
            peer.send(settings({HEADER_TABLE_SIZE: size}))
            peer.wait(lambda before=before: peer.acknowledged > before)
            peer.decoder.max_allowed_table_size = size
            assert_well(peer)
