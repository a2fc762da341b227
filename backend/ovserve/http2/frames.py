"""Frames of HTTP/2 (RFC 9113, sections 4 to 7)."""

from enum import IntEnum
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITIZED = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = (
    range(1, 7)
)
FIRST_TABLE_SIZE = 4096
SETTING_BYTES = 6

HEAD_BYTES = 9
LEAST_FRAME_SIZE = 1 << 14
MOST_FRAME_SIZE = (1 << 24) - 1
FIRST_WINDOW = (1 << 16) - 1
MOST_WINDOW = MOST_STREAM = (1 << 31) - 1

_HEAD = Struct(">BHBBI")
_U32 = Struct(">I")
_SETTING = Struct(">HI")

read_head = _HEAD.unpack_from  # length >> 16, length & 0xFFFF, kind, flags, stream


class Fault(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):
    """What ends a connection."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


class StreamFault(Exception):
    """What ends a stream."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


def head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return _HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return head(len(payload), kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*each) for each in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    return list(_SETTING.iter_unpack(payload))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, _U32.pack(increment))


def rst_stream(stream: int, fault: Fault) -> bytes:
    return frame(RST_STREAM, 0, stream, _U32.pack(fault))


def goaway(last_stream: int, fault: Fault, sentence: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, _U32.pack(last_stream) + _U32.pack(fault) + sentence.encode())


def number(payload: bytes) -> int:
    """Read the 31 bits of a window's increment or a stream, or all 32 of a fault."""
    found: int = _U32.unpack(payload)[0]
    return found
