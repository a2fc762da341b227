"""Headers of calls: HPACK (RFC 7541), what a request has to have (RFC 9113, 8), and gRPC's own (gRPC over HTTP2)."""

import base64

import pytest
from tritonclient.grpc import service_pb2 as pb

from http2_calls import (
    CALL,
    GOOD,
    INFER,
    NOT_FOUND,
    PSEUDO,
    REGULAR,
    RESOURCE_EXHAUSTED,
    UNIMPLEMENTED,
    assert_good,
    assert_well,
    call,
)
from http2_peer import (
    COMPRESSION_ERROR,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PROTOCOL_ERROR,
    Field,
    Peer,
    data,
    frame,
    message,
    reset,
)
from http2_verdicts import assert_connection_error, assert_stream_error

# HPACK


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x80",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\xbe",
        b"\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x40\x05ab",
        b"\x40\x01a\x7f\xff\xff\xff\xff\x07b",
        b"\x40\x01a\x81\x00",
        b"\x40\x01a\x84\xff\xff\xff\xff",
        b"\x3f\xe1\xff\xff\x0f",
        b"\x82\x20",
        b"\x40",
        b"\xff",
    ],
    ids=[
        "index 0",
        "index beyond all numbers",
        "index of nothing yet",
        "an endless number",
        "a name cut short",
        "a value longer than its block",
        "huffman with a wrong end",
        "huffman's end of string",
        "a table larger than allowed",
        "a table's size at the wrong place",
        "no name",
        "half a number",
    ],
)
def test_headers_that_cannot_be_read_end_the_connection(address: str, garbage: bytes) -> None:
    with Peer(address) as peer:
        peer.send(frame(HEADERS, garbage, flags=END_HEADERS | END_STREAM, stream=1))
        assert_connection_error(peer, COMPRESSION_ERROR)


def test_the_table_is_kept_over_a_thousand_calls_of_changing_headers(address: str) -> None:
    with Peer(address) as peer:
        for number in range(1000):
            stream = peer.new_stream()
            fields = call("/nowhere/Nothing", (f"x-{number % 70}", "v" * (number % 90)))
            peer.send(peer.headers(stream, fields, ends=True))
        for stream in range(1, 2001, 2):
            assert peer.wait_end(stream).status == UNIMPLEMENTED
        assert_well(peer)


def test_a_table_that_the_client_makes_smaller_is_followed(address: str) -> None:
    with Peer(address) as peer:
        for size in (4096, 100, 0, 2000):
            peer.encoder.header_table_size = size
            assert_good(peer.ask(call(INFER, ("x-long", "y" * 60)), GOOD))


# Too much of it


@pytest.mark.parametrize("size", [20_000, 60_000])
@pytest.mark.parametrize("indexed", [True, False], ids=["kept in the table", "not kept"])
def test_a_header_list_that_is_too_large_ends_its_call(address: str, size: int, indexed: bool) -> None:
    with Peer(address) as peer:
        names = [f"x-{number}" for number in range(size // 1000)]
        block = peer.encoder.encode([(*each, False) for each in CALL] + [(n, "v" * 960, not indexed) for n in names])
        parts = [block[at : at + 16384] for at in range(0, len(block), 16384)]
        peer.send(frame(HEADERS, parts[0], stream=1, flags=END_HEADERS * (len(parts) == 1)))
        for number, part in enumerate(parts[1:], 2):
            peer.send(frame(CONTINUATION, part, stream=1, flags=END_HEADERS * (number == len(parts))))
        peer.new_stream()
        assert_is_too_large(peer, 1)
        known = [(names[-1], "v" * 960)] if indexed else []
        assert peer.ask(call("/nowhere/Nothing", *known), GOOD).status == UNIMPLEMENTED


def assert_is_too_large(peer: Peer, stream: int) -> None:
    ended = peer.wait_end(stream)
    if ended.http_status != 431:
        assert ended.status == RESOURCE_EXHAUSTED
    assert_well(peer)


def test_trailers_that_are_too_large_end_their_call(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD))
        block = peer.encoder.encode([("x", "v" * 30_000)])
        peer.send(frame(HEADERS, block[:16384], flags=END_STREAM, stream=stream))
        peer.send(frame(CONTINUATION, block[16384:], flags=END_HEADERS, stream=stream))
        assert peer.wait_end(stream).over
        assert_well(peer)


# Requests that are none


@pytest.mark.parametrize(
    "fields",
    [
        call("/x/Y", ("Upper", "case")),
        call("/x/Y", ("connection", "keep-alive")),
        call("/x/Y", ("keep-alive", "timeout=5")),
        call("/x/Y", ("proxy-connection", "keep-alive")),
        call("/x/Y", ("transfer-encoding", "chunked")),
        call("/x/Y", ("upgrade", "h2c")),
        call("/x/Y", te="gzip"),
        call(method=None),
        call(scheme=None),
        call(path=None),
        call(""),
        [*PSEUDO, *PSEUDO[:1], *REGULAR],
        [*PSEUDO, *PSEUDO[2:3], *REGULAR],
        [*PSEUDO, (":status", "200"), *REGULAR],
        [*PSEUDO, (":color", "red"), *REGULAR],
        [*PSEUDO[:2], *REGULAR, *PSEUDO[2:]],
        call("/x/Y", ("bad name", "v")),
        call("/x/Y", ("", "v")),
        call("/x/Y", ("x", "a\r\nb: c")),
        call("/x/Y", ("x", "a\nb")),
        call("/x/Y", ("x", "a\0b")),
        call("/x/Y", ("x:y", "v")),
    ],
    ids=[
        "upper case",
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "te",
        "no method",
        "no scheme",
        "no path",
        "empty path",
        "two methods",
        "two paths",
        "a status",
        "unknown pseudo",
        "pseudo behind",
        "space in a name",
        "empty name",
        "line break",
        "line feed",
        "nul",
        "colon in a name",
    ],
)
def test_a_malformed_request_ends_its_stream(address: str, fields: list[Field]) -> None:
    with Peer(address) as peer:
        stream = peer.open(fields)
        assert_stream_error(peer, stream, PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "trailers",
    [[(":path", "/x")], [("Upper", "case")], [("connection", "close")]],
    ids=["pseudo", "upper case", "connection"],
)
def test_malformed_trailers_end_their_stream(address: str, trailers: list[Field]) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(peer.headers(stream, trailers, ends=True))
        assert_stream_error(peer, stream, PROTOCOL_ERROR)


def test_headers_in_the_middle_of_a_call_end_its_stream(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD), peer.headers(stream, [("x", "y")]))
        assert_stream_error(peer, stream, PROTOCOL_ERROR)


def test_a_client_may_send_trailers(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(CALL)
        peer.send(data(stream, GOOD), peer.headers(stream, [("x-checksum", "1")], ends=True))
        assert_good(peer.wait_end(stream))
        assert_well(peer)


@pytest.mark.parametrize(
    "fields",
    [
        call(te=None),
        call(user_agent=None),
        call(authority=None),
        call(INFER, ("host", "somebody")),
        call(scheme="https"),
        call(content_type="application/grpc+proto"),
        call(INFER, ("cookie", "a=b"), ("cookie", "c=d")),
        call(INFER, ("x", ""), ("x", ""), ("grpc-encoding", "identity"), ("grpc-accept-encoding", "gzip,br")),
        call(INFER, ("x-umlaut", "größe".encode())),
        call(INFER, ("content-length", str(len(GOOD)))),
    ],
    ids=["no te", "no agent", "no authority", "host", "https", "+proto", "cookies", "empty", "utf-8", "length"],
)
def test_what_is_unusual_is_answered(address: str, fields: list[Field]) -> None:
    with Peer(address) as peer:
        assert_good(peer.ask(fields, GOOD))
        assert_well(peer)


# gRPC's


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/grp", "grpc", "", None])
def test_another_content_type_is_answered_with_415(address: str, kind: str | None) -> None:
    with Peer(address) as peer:
        assert peer.ask(call(content_type=kind), GOOD).http_status == 415
        assert_well(peer)


def test_a_refusal_waits_for_the_end_of_the_body(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.new_stream()
        head = peer.headers(stream, call(content_type="text/plain"))
        peer.send(head, data(stream, b"x"), frame(PING, bytes(8)))  # at once: it does not wait long
        peer.wait(lambda: peer.pongs)
        assert not peer.stream(stream).blocks
        peer.send(data(stream, b"y", ends=True))
        assert peer.wait_end(stream).http_status == 415
        assert_well(peer)


def test_a_refusal_waits_for_the_trailers_behind_a_body(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(call(content_type="text/plain"))
        peer.send(data(stream, b"x"), peer.headers(stream, [("x", "y")], ends=True))
        assert peer.wait_end(stream).http_status == 415
        assert_well(peer)


def test_a_refusal_does_not_wait_for_the_end_of_a_large_body(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(call(content_type="text/plain"))
        for _ in range(70):
            peer.send(data(stream, b"x" * 16000))
        assert peer.wait_end(stream).http_status == 415
        assert peer.stream(stream).reset is None
        peer.send(data(stream, b"x" * 16000, ends=True))
        assert_well(peer)


def test_a_refusal_does_not_wait_long_for_a_body(address: str) -> None:
    with Peer(address) as peer:
        assert peer.wait_end(peer.open(call(content_type="text/plain"))).http_status == 415
        assert_well(peer)


def test_only_so_many_refusals_wait(address: str) -> None:
    with Peer(address) as peer:
        streams = [peer.open(call(content_type="text/plain")) for _ in range(150)]
        peer.round_trip()
        assert sum(peer.stream(each).over for each in streams) >= 50
        for each in streams[:60]:
            peer.send(reset(each))
        for each in streams[60:]:
            assert peer.wait_end(each).http_status == 415
        assert_well(peer)


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "CONNECT", "post"])
def test_another_method_is_refused(address: str, method: str) -> None:
    with Peer(address) as peer:
        ended = peer.ask(call(method=method), GOOD)
        assert ended.reset is not None or ended.http_status == 405 or ended.status != 0
        assert_well(peer)


@pytest.mark.parametrize(
    "path",
    [
        "/inference.GRPCInferenceService/Nothing",
        "/nowhere/ModelInfer",
        "/inference.GRPCInferenceService",
        "/",
        "*",
        "inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelInfer/",
        "/inference.GRPCInferenceService/ModelInfer?x=1",
        "//inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/../../etc/passwd",
        "/" + "x" * 5000,
    ],
    ids=lambda path: path[:60],
)
@pytest.mark.parametrize("ends", [True, False], ids=["bare", "with data"])
def test_an_unknown_path_is_unimplemented(address: str, path: str, ends: bool) -> None:
    with Peer(address) as peer:
        stream = peer.open(call(path), ends=ends)
        if not ends:
            peer.send(data(stream, GOOD, ends=True))
        ended = peer.wait_end(stream)
        assert ended.status == UNIMPLEMENTED
        assert ended.sentence
        assert_well(peer)


def test_an_unknown_path_is_told_before_the_message_has_come(address: str) -> None:
    with Peer(address) as peer:
        stream = peer.open(call("/nowhere/Nothing"))
        assert peer.wait_end(stream).status == UNIMPLEMENTED
        assert_well(peer)


@pytest.mark.parametrize("name", ["größe\nzwei", "100 %", "日本\t\r", "a%20b", "\x7f\x00", "~ !\"'"])
def test_a_sentence_travels_whole(address: str, name: str) -> None:
    request = pb.ModelInferRequest(model_name=name).SerializeToString()
    with Peer(address) as peer:
        ended = peer.ask(CALL, message(request))
        assert ended.status == NOT_FOUND
        assert name in ended.sentence
        assert_well(peer)


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(bytes(range(256))),
        base64.b64encode(b"1234").rstrip(b"="),
        base64.b64encode(b"1234") + b"," + base64.b64encode(b"5"),
        b"",
    ],
    ids=["padded", "unpadded", "two", "empty"],
)
def test_binary_metadata_is_taken(address: str, value: bytes) -> None:
    with Peer(address) as peer:
        assert_good(peer.ask(call(INFER, ("x-own-bin", value)), GOOD))
        assert_well(peer)


@pytest.mark.parametrize("value", [b"a", b"%%%%", b"\xff\xfe", b"ab=c"])
def test_binary_metadata_that_is_none_harms_nobody_else(address: str, value: bytes) -> None:
    with Peer(address) as peer:
        assert peer.ask(call(INFER, ("x-own-bin", value)), GOOD).over
        assert_well(peer)
