"""Calls of KServe's service as they travel in HTTP/2, and what a good one is answered."""

import socket
import struct

import h2.config
import h2.connection
import h2.events
import numpy as np
from tritonclient.grpc import service_pb2 as pb

from http2_peer import TIMEOUT_S, Field, Peer, Stream, message
from wire_server import SERVICE, request

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = range(6)
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 12, 13, 14

INFER = f"/{SERVICE.full_name}/ModelInfer"
STREAM_INFER = f"/{SERVICE.full_name}/ModelStreamInfer"
LIVE = f"/{SERVICE.full_name}/ServerLive"

PSEUDO: tuple[Field, ...] = ((":method", "POST"), (":scheme", "http"), (":path", INFER), (":authority", "localhost"))
REGULAR: tuple[Field, ...] = (("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "peer"))
CALL = PSEUDO + REGULAR


def call(path: str = INFER, *more: Field, **other: str | None) -> list[Field]:
    """The headers of a call; `other` replaces fields by their names (`method` for `:method`), None leaves one out."""
    renamed = {name.replace("_", "-"): value for name, value in other.items()}
    fields = [(name, path if name == ":path" else value) for name, value in CALL]
    changed = [(name, renamed.get(name.removeprefix(":"), value)) for name, value in fields]
    return [(name, value) for name, value in changed if value is not None] + list(more)


def grow(*numbers: float) -> bytes:
    """A request that is answered with each number plus one."""
    return request("grow", {"x": np.array(numbers, np.float32)}).SerializeToString()


def large(count: int) -> bytes:
    """A request of `count` numbers, four bytes each, which comes back as long."""
    return request("grow", {"x": np.zeros(count, np.float32)}).SerializeToString()


def slow(rounds: int) -> bytes:
    """A request that takes about `rounds` milliseconds, or twice that."""
    return request("slow", {"n": np.array(rounds, np.int64)}).SerializeToString()


GOOD = message(grow(1, 2))


def numbers(answer: bytes) -> list[float]:
    return np.frombuffer(pb.ModelInferResponse.FromString(answer).raw_output_contents[0], np.float32).tolist()


def assert_good(stream: Stream) -> None:
    """It is the answer to `GOOD`."""
    assert (stream.status, stream.reset) == (OK, None), stream
    assert [numbers(each) for each in stream.messages] == [[2, 3]]


def assert_well(peer: Peer) -> None:
    """The connection answers one more call, with what has come so far."""
    assert_good(peer.ask(CALL, GOOD))


def assert_serves(address: str) -> None:
    """A new connection is answered, in the eyes of the library h2, which minds every frame."""
    host, _, port = address.rpartition(":")
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    with socket.create_connection((host, int(port)), TIMEOUT_S) as plain:
        connection.send_headers(1, CALL)
        connection.send_data(1, GOOD, end_stream=True)
        plain.sendall(connection.data_to_send())
        content, trailers = b"", {}
        while not trailers:
            part = plain.recv(1 << 16)
            assert part, "the connection ended without an answer"
            for event in connection.receive_data(part):
                match event:
                    case h2.events.DataReceived():
                        content += event.data
                    case h2.events.TrailersReceived():
                        trailers = dict(event.headers)
            plain.sendall(connection.data_to_send())
    (length,) = struct.unpack(">xI", content[:5])
    assert trailers["grpc-status"] == "0"
    assert numbers(content[5 : 5 + length]) == [2, 3]
