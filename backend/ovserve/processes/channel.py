"""Frames between the server and a worker: lengths, a small head as JSON, and the bytes of tensors as they lie.

A frame is the length of the head (4 bytes), of the rest (8 bytes), little end first, and both. The rest is the tensors
that the head lists, each from a multiple of 64 on.
"""

import json
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from ovserve import tensor_bytes
from ovserve.errors import WrongContent
from ovserve.tensors import BY_KSERVE, Tensor

MOST_HEAD = 16 << 20
MOST_BODY = 4 << 30
_LENGTHS = struct.Struct("<IQ")
_STEP = 64
_BUFFER = 1 << 20
_MOST_PARTS = 512  # which one call of the system takes
_PADDING = bytes(_STEP)


class TooLarge(Exception):
    """More than a frame may hold; one clause that says how much it is."""


class Broken(Exception):
    """What came is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What came; `head` tells where each of the `tensors` belongs."""

    head: dict[str, Any]
    tensors: Sequence[Tensor]


class Channel:
    """One end of a pair of sockets; any thread may send, one receives.

    Nobody waits to send while another thread is sending: that one sends for both. So a garbage collection in the midst
    of sending may send too.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._unsent: SimpleQueue[list[memoryview]] = SimpleQueue()
        self._sending = threading.Lock()

    def send(self, head: Mapping[str, Any], tensors: Sequence[Tensor] = ()) -> None:
        """Send a frame; raises `TooLarge`. What the other end does not take any more is dropped."""
        self._unsent.put(_written(head, tensors))
        while not self._unsent.empty() and self._sending.acquire(blocking=False):
            try:
                self._send_all()
            except OSError:
                pass  # the other end has gone, as the one who receives finds out
            finally:
                self._sending.release()

    def _send_all(self) -> None:
        while True:
            try:
                parts = self._unsent.get_nowait()
            except Empty:
                return
            while parts:
                sent = self._socket.sendmsg(parts[:_MOST_PARTS])
                while parts and sent >= len(parts[0]):
                    sent -= len(parts.pop(0))
                if sent:
                    parts[0] = parts[0][sent:]

    def receive(self) -> Frame | None:
        """Wait for a frame, None when the other end has gone; raises `Broken`."""
        try:
            return self._read()
        except (OSError, EOFError):
            return None

    def _read(self) -> Frame:
        lengths = bytearray(_LENGTHS.size)
        self._fill(memoryview(lengths))
        head_length, body_length = _LENGTHS.unpack(lengths)
        if head_length > MOST_HEAD or body_length > MOST_BODY:
            raise Broken(f"a frame of {head_length} and {body_length} bytes came")
        text = bytearray(head_length)
        self._fill(memoryview(text))
        body = np.empty(body_length, np.uint8)
        self._fill(body.data)
        try:
            head = json.loads(text)
            return Frame(head, _tensors(head.pop("tensors", ()), body.data))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise Broken(f"a frame cannot be read: {error}") from error

    def _fill(self, view: memoryview) -> None:
        while view:
            count = self._socket.recv_into(view, 0, socket.MSG_WAITALL)
            if not count:
                raise EOFError
            view = view[count:]

    def close(self) -> None:
        """Have the one who receives, here and at the other end, find that it is over."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._sending:
            self._socket.close()


def _written(head: Mapping[str, Any], tensors: Sequence[Tensor]) -> list[memoryview]:
    views = [tensor_bytes.view(tensor) for tensor in tensors]
    listed = [(tensor.dtype.kserve, tensor.shape, view.nbytes) for tensor, view in zip(tensors, views, strict=True)]
    text = json.dumps({**head, "tensors": listed} if listed else head, separators=(",", ":"), default=str).encode()
    parts = []
    for view in views:
        parts += [view, memoryview(_PADDING)[: -view.nbytes % _STEP]]
    body = sum(part.nbytes for part in parts)
    if len(text) > MOST_HEAD:
        raise TooLarge(f"its texts have {len(text)} bytes, expected at most {MOST_HEAD}")
    if body > MOST_BODY:
        raise TooLarge(f"its tensors have {body} bytes, expected at most {MOST_BODY}")
    begin = memoryview(_LENGTHS.pack(len(text), body) + text)
    return [begin, *(part for part in parts if part.nbytes)]


def _tensors(listed: Sequence[Any], body: memoryview) -> list[Tensor]:
    found, at = [], 0
    for name, shape, length in listed:
        if not 0 <= length <= len(body) - at:
            raise Broken("a tensor is longer than its frame")
        dtype = BY_KSERVE[name]
        try:
            found.append(Tensor(dtype, tensor_bytes.read(body[at : at + length], dtype, tuple(shape), "a tensor")))
        except WrongContent as error:
            raise Broken(str(error)) from error
        at += length + -length % _STEP
    return found
