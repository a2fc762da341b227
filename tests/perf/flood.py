"""A client that costs next to nothing: the same request again and again, its bytes made once.

    python tests/perf/flood.py ADDRESS CONNECTIONS SECONDS MESSAGE METHOD

One call at a time on each connection; MESSAGE is a file. Prints requests, seconds, and its own CPU time, as JSON. grpcio's
client takes more CPU for a small request than the server: on few cores it would be measured instead.
"""

import json
import selectors
import socket
import struct
import sys
import time
from pathlib import Path

from hpack import Encoder

from ovserve.http2 import frames

_MOST_WINDOW = (1 << 31) - 1
_RECEIVE = 1 << 16


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


class Connection:
    """One connection, and the call that is under way on it."""

    def __init__(self, address: str, method: str, message: bytes) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = struct.pack(">HI", frames.INITIAL_WINDOW_SIZE, _MOST_WINDOW)
        window = struct.pack(">I", _MOST_WINDOW - frames.FIRST_WINDOW)
        opening = frame(frames.SETTINGS, 0, 0, settings) + frame(frames.WINDOW_UPDATE, 0, 0, window)
        self.socket.sendall(frames.PREFACE + opening)
        fields = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", address)]
        fields += [("te", "trailers"), ("content-type", "application/grpc")]
        never = [(name, value, True) for name, value in fields]  # not in any table: the bytes are good again
        self._head = Encoder().encode(never, huffman=False)
        self._data = b"\0" + struct.pack(">I", len(message)) + message
        self._stream = -1
        self._rest = b""

    def ask(self) -> None:
        self._stream += 2
        head = frame(frames.HEADERS, frames.END_HEADERS, self._stream, self._head)
        self.socket.sendall(head + frame(frames.DATA, frames.END_STREAM, self._stream, self._data))

    def is_answered(self) -> bool:
        """Receive, and tell whether the call is over; raises `ConnectionError` where it went wrong."""
        received = self.socket.recv(_RECEIVE)
        if not received:
            raise ConnectionError("the server has closed the connection")
        data, at, over = self._rest + received, 0, False
        while len(data) - at >= frames.HEAD_BYTES:
            high, low, kind, flags, _ = frames.read_head(data, at)
            end = at + frames.HEAD_BYTES + (high << 16 | low)
            if len(data) < end:
                break
            if kind in (frames.RST_STREAM, frames.GOAWAY):
                raise ConnectionError(f"the server ended the call: {data[at:end]!r}")
            if kind == frames.SETTINGS and not flags & frames.ACK:
                self.socket.sendall(frame(frames.SETTINGS, frames.ACK, 0))
            over = over or (kind == frames.HEADERS and bool(flags & frames.END_STREAM))
            at = end
        self._rest = data[at:]
        return over


def flood(address: str, connections: int, seconds: float, message: bytes, method: str) -> dict[str, float]:
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            made = Connection(address, method, message)
            selector.register(made.socket, selectors.EVENT_READ, made)
            made.ask()
        requests, begun_s, cpu_s = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - begun_s < seconds:
            for key, _ in selector.select():
                if key.data.is_answered():
                    requests += 1
                    key.data.ask()
        took_s, spent_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
    return {"requests": requests, "seconds": took_s, "cpu_s": spent_s}


if __name__ == "__main__":
    where, count, how_long, file, path = sys.argv[1:]
    print(json.dumps(flood(where, int(count), float(how_long), Path(file).read_bytes(), path)))
