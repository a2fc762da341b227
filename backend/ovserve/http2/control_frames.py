"""What a client says beside its calls: SETTINGS, PING, windows, resets (RFC 9113, sections 6.3 to 6.9)."""

from threading import Lock

from ovserve.http2 import frames
from ovserve.http2.ends import Ends
from ovserve.http2.frames import ConnectionFault, Fault
from ovserve.http2.open_calls import OpenCalls
from ovserve.http2.outbox import Outbox
from ovserve.http2.patience import Patience

_OF_CONNECTION = frozenset({frames.SETTINGS, frames.PING, frames.GOAWAY})


class ControlFrames:
    """Does what one connection's client says, as long as there is patience."""

    def __init__(self, lock: Lock, calls: OpenCalls, outbox: Outbox, ends: Ends, patience: Patience) -> None:
        self._lock = lock
        self._calls = calls
        self._outbox = outbox
        self._ends = ends
        self._patience = patience
        self._pings = 0  # of which each has a frame of DATA that it may be about

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in _OF_CONNECTION and stream:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "a frame of the connection on a stream")
        if kind == frames.WINDOW_UPDATE:
            self._widen(stream, frames.number(payload) & frames.MOST_WINDOW)
        elif kind == frames.PING:
            self._pong(flags, payload)
        elif kind == frames.SETTINGS:
            self._settings(flags, payload)
        elif kind == frames.RST_STREAM:
            self._ends.was_reset(stream)
        elif kind == frames.PUSH_PROMISE:
            raise ConnectionFault(Fault.PROTOCOL_ERROR, "PUSH_PROMISE from a client")
        elif kind == frames.PRIORITY:
            if not stream:
                raise ConnectionFault(Fault.PROTOCOL_ERROR, "PRIORITY without a stream")
            self._patience.spend()

    def _widen(self, stream: int, increment: int) -> None:
        if not stream:
            if not increment:
                raise ConnectionFault(Fault.PROTOCOL_ERROR, "a window updated by nothing")
            with self._lock:
                self._outbox.widen(increment)
        else:
            call = self._calls.find(stream)
            if call is None:
                return
            with self._lock:
                self._outbox.widen_call(call, increment)
            if not increment or call.window > frames.MOST_WINDOW:
                self._ends.reset(call, Fault.FLOW_CONTROL_ERROR if increment else Fault.PROTOCOL_ERROR)
        self._outbox.pump()

    def _pong(self, flags: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            # A ping for each DATA is how Go's client measures what its connection can carry.
            if self._pings < self._outbox.frames_sent:
                self._pings += 1
            else:
                self._patience.spend()
            with self._lock:
                self._outbox.emit_reply(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _settings(self, flags: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        self._patience.spend()
        with self._lock:
            for name, value in frames.read_settings(payload):
                if name == frames.INITIAL_WINDOW_SIZE:
                    self._outbox.set_call_window(value, list(self._calls))
                elif name == frames.MAX_FRAME_SIZE:
                    self._outbox.set_frame_size(value)
                elif name == frames.HEADER_TABLE_SIZE:
                    self._outbox.set_table_size(value)
                elif name == frames.ENABLE_PUSH and value > 1:
                    raise ConnectionFault(Fault.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
            self._outbox.emit_reply(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self._outbox.pump()
