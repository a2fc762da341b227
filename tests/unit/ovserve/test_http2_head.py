import base64

import pytest

from ovserve.http2.frames import StreamFault
from ovserve.http2.head import Head, read

FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a/B"), (b"content-type", b"application/grpc")]


def head(*more: tuple[bytes, bytes]) -> Head:
    return read([*FIELDS, *more])


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        (b"1H", 3600),
        (b"2M", 120),
        (b"3S", 3),
        (b"4m", 0.004),
        (b"5u", 5e-6),
        (b"6n", 6e-9),
        (b"0S", 0),
        (b"99999999H", 99999999 * 3600),
    ],
)
def test_a_timeout_is_read_in_seconds(value: bytes, expected_s: float) -> None:
    assert head((b"grpc-timeout", value)).timeout_s == pytest.approx(expected_s)


def test_without_a_timeout_there_is_none() -> None:
    assert head().timeout_s is None


@pytest.mark.parametrize(
    "value", [b"", b"S", b"1", b"1s", b"-1S", b"+1S", b" 1S", b"1.0S", b"123456789S", b"1_0S", b"\xb2S"]
)
def test_a_timeout_that_is_none_is_malformed(value: bytes) -> None:
    with pytest.raises(StreamFault):
        head((b"grpc-timeout", value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (base64.b64encode(b"\x00\xff\x10\x80"), [b"\x00\xff\x10\x80"]),
        (base64.b64encode(b"1234").rstrip(b"="), [b"1234"]),
        (base64.b64encode(b"1") + b"," + base64.b64encode(b"23").rstrip(b"="), [b"1", b"23"]),
        (b"", [b""]),
    ],
    ids=["padded", "unpadded", "two", "empty"],
)
def test_binary_metadata_is_unpacked(value: bytes, expected: list[bytes]) -> None:
    assert head((b"x-bin", value)).metadata == tuple(("x-bin", each) for each in expected)


def test_binary_metadata_that_is_no_base64_is_malformed() -> None:
    with pytest.raises(StreamFault):
        head((b"x-bin", b"%"))


def test_metadata_are_what_the_protocol_does_not_name_itself() -> None:
    found = head(
        (b"te", b"trailers"), (b"user-agent", b"x"), (b"a", b"1"), (b"a", b"2"), (b"grpc-accept-encoding", b"gzip")
    )
    assert found.metadata == (("user-agent", "x"), ("a", "1"), ("a", "2"))


def test_a_lists_size_counts_32_bytes_for_each_field() -> None:
    assert head().size == sum(len(name) + len(value) + 32 for name, value in FIELDS)


@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto", b"application/grpc;charset=utf-8"])
def test_a_grpc_call_is_not_refused(kind: bytes) -> None:
    assert read([*FIELDS[:3], (b"content-type", kind)]).refusal is None
