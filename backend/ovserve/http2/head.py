"""The head of a request: header fields -> what a gRPC call is asked with.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ovserve.http2.frames import Fault, StreamFault

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

TIMEOUT = b"grpc-timeout"

_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MOST_DIGITS = 8
_FIELD_BYTES = 32  # what a field counts for beside its name and value (RFC 9113, 6.5.2)
_OF_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
_OF_PROTOCOL = {b"te", b"content-type", TIMEOUT, b"grpc-encoding", b"grpc-accept-encoding", b"content-length"}
_PSEUDO = {b":method", b":scheme", b":path", b":authority"}
_BINARY = b"-bin"
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")  # RFC 9110, 5.6.2, in lower case
_NEVER_IN_VALUES = re.compile(rb"[\0\r\n]")


@dataclass(frozen=True, slots=True)
class Head:
    """A call's path, seconds until its deadline, how its messages are compressed, and its metadata.

    `refusal` is the HTTP status of what is no gRPC call at all; `size` is of the fields in all.
    """

    path: str
    timeout_s: float | None
    encoding: str
    metadata: Metadata
    refusal: int | None
    size: int

    def within(self, timeout: bytes) -> "Head":
        """Return the same head with another time, as its field says it; raises a `StreamFault`."""
        return Head(self.path, _timeout_s(timeout), self.encoding, self.metadata, self.refusal, self.size)


def read(fields: Iterable[tuple[bytes, bytes]]) -> Head:
    """Make out what is asked; raises a `StreamFault` for what HTTP/2 calls malformed."""
    pseudo: dict[bytes, bytes] = {}
    protocol: dict[bytes, bytes] = {}
    metadata: list[tuple[str, str | bytes]] = []
    size = 0
    regular = False
    for name, value in fields:
        size += len(name) + len(value) + _FIELD_BYTES
        if name[:1] == b":":
            if regular or name in pseudo or name not in _PSEUDO:
                raise StreamFault(Fault.PROTOCOL_ERROR, "a pseudo-header field is unknown, twice there or late")
            _check_value(value)
            pseudo[name] = value
            continue
        regular = True
        _check(name, value)
        if name in _OF_PROTOCOL:
            protocol[name] = value
        else:
            metadata.extend(_metadata(name, value))
    if not (b":method" in pseudo and b":scheme" in pseudo and pseudo.get(b":path")):
        raise StreamFault(Fault.PROTOCOL_ERROR, "a request needs :method, :scheme and :path")
    return Head(
        pseudo[b":path"].decode("latin-1"),
        _timeout_s(protocol.get(TIMEOUT)),
        protocol.get(b"grpc-encoding", b"identity").decode("latin-1"),
        tuple(metadata),
        _refusal(pseudo[b":method"], protocol.get(b"content-type", b"")),
        size,
    )


def check_trailers(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise a `StreamFault` for what HTTP/2 calls malformed."""
    for name, value in fields:
        _check(name, value)


def _check(name: bytes, value: bytes) -> None:
    if not _NAME.fullmatch(name) or name in _OF_CONNECTION or (name == b"te" and value != b"trailers"):
        raise StreamFault(Fault.PROTOCOL_ERROR, "a header field is not one of HTTP/2")
    _check_value(value)


def _check_value(value: bytes) -> None:
    if _NEVER_IN_VALUES.search(value):
        raise StreamFault(Fault.PROTOCOL_ERROR, "a header field's value has a line break or a NUL")


def _metadata(name: bytes, value: bytes) -> list[tuple[str, str | bytes]]:
    key = name.decode("latin-1")
    if not name.endswith(_BINARY):
        return [(key, value.decode("latin-1"))]
    try:
        return [(key, b64decode(part + b"=" * (-len(part) % 4), validate=True)) for part in value.split(b",")]
    except binascii.Error:
        raise StreamFault(Fault.PROTOCOL_ERROR, "binary metadata is not in base64") from None


def _timeout_s(value: bytes | None) -> float | None:
    if value is None:
        return None
    digits, unit = value[:-1], value[-1:]
    if unit not in _UNITS_S or not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise StreamFault(Fault.PROTOCOL_ERROR, "grpc-timeout is no number with a unit")
    return int(digits) * _UNITS_S[unit]


def _refusal(method: bytes, content_type: bytes) -> int | None:
    if method != b"POST":
        return 405
    kind = content_type.partition(b";")[0].strip()
    return None if kind == b"application/grpc" or kind.startswith(b"application/grpc+") else 415
