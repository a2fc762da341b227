"""Messages in DATA: how they are cut, how long they may be, how they are compressed (gRPC over HTTP2)."""

import gzip
import struct
import zlib
from collections.abc import Callable

import pytest

from grpc_door import GrpcDoor
from http2_calls import (
    CALL,
    GOOD,
    INFER,
    INTERNAL,
    LIVE,
    OK,
    RESOURCE_EXHAUSTED,
    STREAM_INFER,
    UNIMPLEMENTED,
    assert_good,
    assert_serves,
    assert_well,
    call,
    grow,
    large,
    numbers,
)
from http2_peer import INITIAL_WINDOW_SIZE, Peer, data, message, window_update
from wire_server import pb

LIMIT = 100_000


@pytest.fixture
def small(open_door: Callable[..., GrpcDoor]) -> str:
    """A server that takes messages of up to `LIMIT` bytes."""
    return open_door(message_bytes=LIMIT).address


# Pieces


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, 50])
def test_a_message_may_come_in_frames_of_any_size(address: str, size: int) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(
            *(data(stream, GOOD[at : at + size]) for at in range(0, len(GOOD), size)), data(stream, b"", ends=True)
        )
        assert_good(peer.wait_end(stream))
        assert_well(peer)


def test_empty_frames_between_mean_nothing(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        for byte in GOOD:
            peer.send(data(stream, b""), data(stream, bytes([byte])), data(stream, b""))
        peer.send(data(stream, b"", ends=True))
        assert_good(peer.wait_end(stream))


def test_a_large_message_may_come_in_many_frames_and_pieces(address: str) -> None:
    content = message(large(200_000))
    with Peer(address) as peer:
        stream = peer.open(CALL)
        framed = b"".join(data(stream, content[at : at + 777]) for at in range(0, len(content), 777))
        for at in range(0, len(framed), 9999):
            peer.send(framed[at : at + 9999])
        peer.send(data(stream, b"", ends=True))
        peer.send(window_update(0, 1 << 20), window_update(stream, 1 << 20))
        assert peer.wait_end(stream).status == OK
        assert_well(peer)


def test_messages_of_many_calls_may_be_mixed_byte_by_byte(address: str) -> None:
    with Peer(address) as peer:
        asked = {peer.open(CALL): message(grow(number, number)) for number in range(20)}
        for at in range(len(GOOD)):
            peer.send(*(data(stream, content[at : at + 1]) for stream, content in asked.items()))
        peer.send(*(data(stream, b"", ends=True) for stream in asked))
        for number, stream in enumerate(asked):
            (answer,) = peer.wait_end(stream).messages
            assert numbers(answer) == [number + 1, number + 1]


def test_many_messages_of_a_stream_may_come_in_one_frame(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(call(STREAM_INFER))
        peer.send(data(stream, GOOD * 10, ends=True))
        ended = peer.wait_end(stream)
        assert ended.status == OK
        answers = [pb.ModelStreamInferResponse.FromString(each).infer_response for each in ended.messages]
        assert [numbers(each.SerializeToString()) for each in answers] == [[2, 3]] * 10
        assert_well(peer)


def test_a_stream_of_messages_may_come_in_single_bytes(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(call(STREAM_INFER))
        for byte in GOOD * 3:
            peer.send(data(stream, bytes([byte])))
        peer.wait(lambda: len(peer.stream(stream).messages) == 3)
        peer.send(data(stream, b"", ends=True))
        assert peer.wait_end(stream).status == OK


def test_an_empty_message_is_one(address: str) -> None:
    with Peer(address) as peer:
        ended = peer.ask(call(LIVE), message(b""))
        assert ended.status == OK
        assert [pb.ServerLiveResponse.FromString(each).live for each in ended.messages] == [True]


# Lengths


@pytest.mark.parametrize("length", [LIMIT + 1, 1 << 31, (1 << 32) - 1])
def test_a_message_that_is_too_long_is_refused_before_it_comes(small: str, length: int) -> None:
    with Peer(small) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, struct.pack(">BI", 0, length)))
        ended = peer.wait_end(stream)
        assert ended.status == RESOURCE_EXHAUSTED
        assert str(length) in ended.sentence
        assert str(LIMIT) in ended.sentence
        for _ in range(3):
            peer.send(data(stream, bytes(16384)))  # it had been sent already
        assert_well(peer)


def test_a_message_of_exactly_the_limit_is_taken(small: str) -> None:
    content = large(LIMIT // 4 - 20)
    missing = LIMIT - len(content)
    content += b"\x9a\x3e" + bytes([missing - 3]) + bytes(missing - 3)  # a field that nobody knows
    assert len(content) == LIMIT
    with Peer(small, {INITIAL_WINDOW_SIZE: 1 << 20}) as peer:
        peer.send(window_update(0, 1 << 20))
        assert peer.ask(CALL, message(content)).status == OK


@pytest.mark.parametrize("content", [b"", GOOD[:1], GOOD[:4], GOOD[:5], GOOD[:-1], GOOD + b"\0", GOOD + GOOD[:-1]])
def test_a_call_that_ends_in_the_middle_of_a_message_is_refused(address: str, content: bytes) -> None:
    with Peer(address) as peer:
        ended = peer.ask(CALL, content)
        assert ended.status in {INTERNAL, UNIMPLEMENTED}
        assert ended.sentence
        assert_well(peer)


def test_headers_that_end_a_unary_call_are_refused(address: str) -> None:
    with Peer(address) as peer:
        assert peer.wait_end(peer.open(CALL, ends=True)).status in {INTERNAL, UNIMPLEMENTED}
        assert_well(peer)


def test_a_unary_call_takes_one_message(address: str) -> None:
    with Peer(address) as peer:
        ended = peer.ask(CALL, GOOD + GOOD)
        assert ended.status in {INTERNAL, UNIMPLEMENTED}
        assert ended.messages == []
        assert_well(peer)


# Compression


@pytest.mark.parametrize("flag", [2, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_flag_that_means_nothing_is_refused(address: str, flag: int, encoding: str | None) -> None:
    with Peer(address) as peer:
        more = [] if encoding is None else [("grpc-encoding", encoding)]
        assert peer.ask(call(INFER, *more), message(grow(1, 2), flag)).status == INTERNAL
        assert_well(peer)


@pytest.mark.parametrize("more", [[], [("grpc-encoding", "identity")]], ids=["none", "identity"])
def test_a_compressed_message_without_an_encoding_is_refused(address: str, more: list[tuple[str, str]]) -> None:
    with Peer(address) as peer:
        ended = peer.ask(call(INFER, *more), message(gzip.compress(grow(1, 2)), 1))
        assert ended.status == INTERNAL
        assert "grpc-encoding" in ended.sentence
        assert_well(peer)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_messages_are_read(address: str, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    fields = call(INFER, ("grpc-encoding", encoding))
    with Peer(address) as peer:
        assert_good(peer.ask(fields, message(compress(grow(1, 2)), 1)))
        assert_good(peer.ask(fields, GOOD))
        content = message(compress(grow(1, 2)), 1)
        stream = peer.open(fields)
        peer.send(*(data(stream, bytes([byte])) for byte in content), data(stream, b"", ends=True))
        assert_good(peer.wait_end(stream))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", gzip.compress(grow(1, 2))[:-9], zlib.compress(grow(1, 2))[:-5], bytes(100)],
    ids=["empty", "magic", "half a gzip", "half a deflate", "zeros"],
)
def test_what_cannot_be_unpacked_is_refused(address: str, encoding: str, content: bytes) -> None:
    with Peer(address) as peer:
        ended = peer.ask(call(INFER, ("grpc-encoding", encoding)), message(content, 1))
        assert ended.status == INTERNAL
        assert encoding in ended.sentence
        assert_well(peer)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_message_that_unpacks_to_too_much_is_refused(
    small: str, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    bomb = compress(bytes(50 << 20))
    assert len(bomb) < LIMIT
    with Peer(small) as peer:
        ended = peer.ask(call(INFER, ("grpc-encoding", encoding)), message(bomb, 1))
        assert ended.status == RESOURCE_EXHAUSTED
        assert str(LIMIT) in ended.sentence
        assert_well(peer)


@pytest.mark.parametrize("encoding", ["snappy", "br", "zstd", "GZIP", "x" * 2000, ""])
def test_an_unknown_encoding_is_unimplemented_and_those_known_are_told(address: str, encoding: str) -> None:
    with Peer(address) as peer:
        ended = peer.ask(call(INFER, ("grpc-encoding", encoding)), message(grow(1, 2), 1))
        assert ended.status == UNIMPLEMENTED
        assert {"gzip", "deflate", "identity"} <= set(ended.blocks[0]["grpc-accept-encoding"].split(","))
        assert encoding[:20] in ended.sentence
        assert_well(peer)


def test_a_stream_ends_with_the_message_that_is_refused(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(call(STREAM_INFER))
        peer.send(data(stream, GOOD + message(grow(1, 2), 1)))
        assert peer.wait_end(stream).status == INTERNAL
        assert_well(peer)


def test_the_bytes_of_refused_calls_are_given_back_to_the_window(small: str) -> None:
    with Peer(small) as peer:
        assert_well(peer)
        for _ in range(300):
            stream = peer.open(CALL)
            peer.send(data(stream, struct.pack(">BI", 0, LIMIT + 1) + bytes(10_000)))
            assert peer.wait_end(stream).status == RESOURCE_EXHAUSTED
        assert_well(peer)
    assert_serves(small)
