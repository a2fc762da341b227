"""An HTTP/2 client that does as it is told, right or wrong, and notes all that the server sends."""

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from wire_server import INDISCREET

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_S = 30

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(6, 12)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = (
    range(1, 7)
)
LARGEST_WINDOW = 2**31 - 1
FIRST_WINDOW = 65535  # of a stream and of the connection, until somebody says otherwise

Field = tuple[str | bytes, str | bytes]


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values: Mapping[int, int]) -> bytes:
    return frame(SETTINGS, b"".join(struct.pack(">HI", *item) for item in values.items()))


def window_update(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, struct.pack(">I", size), stream=stream)


def reset(stream: int, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, struct.pack(">I", code), stream=stream)


def data(stream: int, payload: bytes, *, ends: bool = False) -> bytes:
    return frame(DATA, payload, flags=END_STREAM * ends, stream=stream)


def message(content: bytes, flag: int = 0) -> bytes:
    """A message as gRPC puts it into DATA."""
    return struct.pack(">BI", flag, len(content)) + content


def read_until_closed(connection: socket.socket) -> None:
    """Pass over what comes; raises `TimeoutError` where the other side goes on."""
    with suppress(ConnectionError):
        while connection.recv(1 << 16):
            pass


@dataclass
class Stream:
    """What came on one stream."""

    blocks: list[dict[str, str]] = field(default_factory=list)  # of headers
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None

    @property
    def http_status(self) -> int:
        return int(self.blocks[0][":status"])

    @property
    def status(self) -> int:
        """gRPC's status; the whole answer is checked against the protocol."""
        head, last = self.blocks[0], self.blocks[-1]
        assert self.ended, self
        assert head[":status"] == "200", self
        assert head["content-type"].startswith("application/grpc"), self
        assert len(self.blocks) <= 2, self
        assert not any(name.startswith(":") for name in last) or len(self.blocks) == 1, self
        assert not INDISCREET.search(self.sentence), self
        return int(last["grpc-status"])

    @property
    def sentence(self) -> str:
        raw = self.blocks[-1].get("grpc-message", "")
        assert raw.isascii(), raw
        assert raw.isprintable(), raw
        return unquote(raw)

    @property
    def messages(self) -> list[bytes]:
        found, at = [], 0
        while at < len(self.data):
            flag, length = struct.unpack_from(">BI", self.data, at)
            assert flag == 0
            assert at + 5 + length <= len(self.data), "a message without its end"
            found.append(bytes(self.data[at + 5 : at + 5 + length]))
            at += 5 + length
        return found


class Peer:
    """A connection. Its preface and SETTINGS are sent at once, unless `preface` says what to send instead."""

    def __init__(
        self,
        address: str,
        own: Mapping[int, int] | None = None,
        *,
        preface: bytes | None = None,
        reads_slowly: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.socket()
        if reads_slowly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((host, int(port)))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.encoder, self.decoder = Encoder(), Decoder(1 << 20)
        self.streams: dict[int, Stream] = {}
        self.frames: list[Frame] = []
        self.theirs: dict[int, int] = {}  # settings
        self.acknowledged = 0
        self.pongs: list[bytes] = []
        self.goaways: list[tuple[int, int]] = []  # code, last stream
        self.granted: dict[int, int] = {}  # window updates, by stream
        self.closed = False
        self._received = bytearray()
        self._block: tuple[int, bytearray, bool] | None = None
        self._next = 1
        self.send(PREFACE + settings(own or {}) if preface is None else preface)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # Sending

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def send_until_refused(self, *chunks: bytes, patience_s: float = 1) -> int:
        """Send as much as the server takes without reading anything; the bytes sent when it takes no more, or ends."""
        sent, content = 0, memoryview(b"".join(chunks))
        self.socket.settimeout(patience_s)
        try:
            while sent < len(content):
                sent += self.socket.send(content[sent : sent + (1 << 16)])
        except (TimeoutError, ConnectionError):
            pass
        self.socket.settimeout(TIMEOUT_S)
        return sent

    def new_stream(self) -> int:
        self._next += 2
        return self._next - 2

    def headers(self, stream: int, fields: Iterable[Field], *, ends: bool = False) -> bytes:
        block = self.encoder.encode(list(fields))
        return frame(HEADERS, block, flags=END_HEADERS | END_STREAM * ends, stream=stream)

    def open(self, fields: Sequence[Field], *, ends: bool = False) -> int:
        """Send the headers of a call on a new stream."""
        stream = self.new_stream()
        self.send(self.headers(stream, fields, ends=ends))
        return stream

    def ask(self, fields: Sequence[Field], content: bytes) -> Stream:
        """Make a call with this DATA, as much of it at once as fits a frame, and read until it ends."""
        stream = self.open(fields)
        pieces = [content[at : at + 16384] for at in range(0, len(content), 16384)] or [b""]
        for piece in pieces[:-1]:
            self.send(data(stream, piece))
        self.send(data(stream, pieces[-1], ends=True))
        return self.wait_end(stream)

    # Receiving

    def stream(self, number: int) -> Stream:
        return self.streams.setdefault(number, Stream())

    def wait_end(self, stream: int) -> Stream:
        self.wait(lambda: self.stream(stream).over)
        return self.stream(stream)

    def wait(self, condition: Callable[[], object]) -> None:
        """Read frames until `condition` holds."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline_s, self
            assert self.read_frame(), f"the connection ended; {self}"

    def read_to_end(self) -> None:
        """Read until the server closes the connection."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while self.read_frame():
            assert time.monotonic() < deadline_s, self

    def round_trip(self) -> None:
        """Wait until the server has seen all that was sent before, and answered it or begun to."""
        token = len(self.pongs).to_bytes(8)
        self.send(frame(PING, token))
        self.wait(lambda: token in self.pongs)

    def read_frame(self) -> bool:
        """Read one frame and note what it says; False at the end of the connection."""
        header = self._take(9)
        if header is None:
            return False
        parsed, length = Frame.parse_frame_header(memoryview(header))
        assert length <= (1 << 14), f"a frame of {length} bytes, nobody allowed more than 16384"
        body = self._take(length)
        if body is None:
            return False
        parsed.parse_body(memoryview(body))
        self.frames.append(parsed)
        self._note(parsed)
        return True

    def _take(self, size: int) -> bytes | None:
        while len(self._received) < size:
            try:
                part = self.socket.recv(1 << 16)
            except ConnectionError:
                part = b""
            if not part:
                self.closed = True
                return None
            self._received += part
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _note(self, got: Frame) -> None:
        assert self._block is None or isinstance(got, ContinuationFrame), "a header block was interrupted"
        match got:
            case SettingsFrame():
                self._note_settings(got)
            case PingFrame() if "ACK" in got.flags:
                self.pongs.append(got.opaque_data)
            case PingFrame():
                self._answer(frame(PING, got.opaque_data, flags=ACK))
            case GoAwayFrame():
                self.goaways.append((got.error_code, got.last_stream_id))
            case WindowUpdateFrame():
                self.granted[got.stream_id] = self.granted.get(got.stream_id, 0) + got.window_increment
            case HeadersFrame() | ContinuationFrame():
                self._note_headers(got)
            case DataFrame():
                stream = self.stream(got.stream_id)
                assert not stream.ended
                stream.data += got.data
                stream.ended = "END_STREAM" in got.flags
            case RstStreamFrame():
                self.stream(got.stream_id).reset = got.error_code
            case _:
                raise AssertionError(f"a server sends no {got}")

    def _note_settings(self, got: SettingsFrame) -> None:
        if "ACK" in got.flags:
            self.acknowledged += 1
        else:
            self.theirs |= got.settings
            self._answer(frame(SETTINGS, flags=ACK))

    def _note_headers(self, got: HeadersFrame | ContinuationFrame) -> None:
        if isinstance(got, HeadersFrame):
            self._block = (got.stream_id, bytearray(), "END_STREAM" in got.flags)
        number, block, ends = self._block
        assert number == got.stream_id
        block += got.data
        if "END_HEADERS" in got.flags:
            self._block = None
            stream = self.stream(number)
            assert not stream.ended
            stream.blocks.append(dict(self.decoder.decode(bytes(block))))
            stream.ended = ends

    def _answer(self, content: bytes) -> None:
        with suppress(OSError):  # whoever reads sees the end
            self.send(content)

    def __repr__(self) -> str:
        streams = dict(list(self.streams.items())[-3:])
        return f"goaways {self.goaways}, the last streams {streams}, the last frames {self.frames[-5:]}"[:2000]
