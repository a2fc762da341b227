"""Any bytes and any frames: the connection ends or goes on, nothing fails inside, and others are answered."""

import struct
from collections.abc import Callable, Iterator

import pytest
from hpack import Encoder
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from grpc_door import GrpcDoor
from http2_calls import CALL, GOOD, INFER, LIVE, STREAM_INFER, assert_serves, call
from http2_peer import END_HEADERS, PREFACE, Peer, frame, message
from tries import tries

EXAMPLES = settings(
    max_examples=tries(750),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OPENING = PREFACE + frame(4)


@pytest.fixture
def address(open_door: Callable[..., GrpcDoor]) -> Iterator[str]:
    """Where to send anything; when the test ends, nothing may have failed inside (`open_door` sees to that)."""
    door = open_door()
    yield door.address
    for _ in range(3):
        assert_serves(door.address)


def send_and_hang_up(address: str, *chunks: bytes) -> Peer:
    """Send, end our half, and read until the server ends the other."""
    with Peer(address, preface=b"") as peer:
        peer.send_until_refused(*chunks, patience_s=10)
        try:
            peer.socket.shutdown(1)
        except OSError:
            return peer
        peer.read_to_end()
    return peer


@EXAMPLES
@given(st.binary(max_size=400))
def test_any_bytes(address: str, content: bytes) -> None:
    send_and_hang_up(address, content)


@EXAMPLES
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_preface(address: str, content: bytes) -> None:
    send_and_hang_up(address, OPENING, content)


@EXAMPLES
@given(st.binary(max_size=200), st.booleans())
def test_any_header_block(address: str, block: bytes, ends: bool) -> None:
    send_and_hang_up(address, OPENING, frame(1, block, flags=END_HEADERS | ends, stream=1))


NAMES = st.sampled_from(
    [":method", ":path", ":scheme", ":authority", ":status", "te", "content-type", "grpc-timeout", "grpc-encoding", "x"]
) | st.text(st.characters(max_codepoint=255), max_size=10)
VALUES = st.sampled_from(
    ["POST", INFER, LIVE, "http", "trailers", "application/grpc", "gzip", "1S", "identity", ""]
) | st.text(st.characters(max_codepoint=255), max_size=30)


@EXAMPLES
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.integers(0, len(CALL)))
def test_any_headers(address: str, fields: list[tuple[str, str]], kept: int) -> None:
    with Peer(address) as peer:
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*CALL[:kept], *fields]]
        stream = peer.open(raw)
        peer.send_until_refused(frame(0, GOOD, flags=1, stream=stream))
        while not peer.stream(stream).over and not peer.goaways and peer.read_frame():
            pass


def head(path: str) -> bytes:
    """A header block that leaves no trace in the table, so that it means the same everywhere."""
    return Encoder().encode([(*field, True) for field in call(path)])


HEADS = [head(path) for path in (INFER, LIVE, STREAM_INFER, "/nowhere/Nothing", "/grpc.health.v1.Health/Watch")]
STREAMS = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 7, 2, 2**31 - 1])
PAYLOADS = st.one_of(
    st.sampled_from([*HEADS, GOOD, GOOD[:7], GOOD * 2, message(b""), b"", bytes(4), bytes(5), bytes(6), bytes(8)]),
    st.sampled_from([struct.pack(">HI", 4, size) for size in (0, 1, 2**16, 2**31 - 1)]),
    st.binary(max_size=40),
)
FRAMES = st.builds(
    lambda kind, payload, flags, stream: frame(kind, payload, flags=flags, stream=stream),
    st.integers(0, 11),
    PAYLOADS,
    st.sampled_from([0, 0, 1, 4, 4, 5, 5, 0x8, 0xD, 0x20, 0x25, 0x2D, 0xFF]),
    STREAMS,
)
LIKELY = st.one_of(
    st.builds(
        lambda block, flags, on: frame(1, block, flags=flags, stream=on),
        st.sampled_from(HEADS),
        st.sampled_from([4, 5]),
        STREAMS,
    ),
    st.builds(
        lambda content, flags, on: frame(0, content, flags=flags, stream=on), PAYLOADS, st.sampled_from([0, 1]), STREAMS
    ),
    st.builds(
        lambda size, on: frame(8, struct.pack(">I", size), stream=on),
        st.sampled_from([0, 1, 9, 2**16, 2**31 - 1]),
        STREAMS,
    ),
    st.builds(lambda code, on: frame(3, struct.pack(">I", code), stream=on), st.integers(0, 13), STREAMS),
)


@EXAMPLES
@given(st.lists(LIKELY | FRAMES, max_size=20))
def test_any_frames(address: str, frames: list[bytes]) -> None:
    peer = send_and_hang_up(address, OPENING, *frames)
    target(float(sum(stream.over for stream in peer.streams.values())))


@EXAMPLES
@given(st.lists(LIKELY, max_size=20), st.integers(1, 60))
def test_any_frames_cut_anywhere(address: str, frames: list[bytes], size: int) -> None:
    content = b"".join(frames)
    with Peer(address) as peer:
        for at in range(0, len(content), size):
            peer.send_until_refused(content[at : at + size], patience_s=10)
        peer.send_until_refused(frame(6, b"the end!"))
        while b"the end!" not in peer.pongs and not peer.goaways and peer.read_frame():
            pass
