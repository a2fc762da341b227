"""An answer's body, piece by piece. Pure."""

import re

import grpc

from ovclient._errors import BadResponse, MessageTooLarge
from ovclient._rest_infer import HEADER
from ovclient._rest_messages import HttpAnswer

_ALIGNMENT = 64


class Body:
    """Binary data behind the JSON lies aligned in memory, so that tensors can be used where they are.

    `text_bytes` is what the answer's header tells of the JSON, None where there is no such header.
    """

    def __init__(self, address: str, most_bytes: int, text_bytes: str | None) -> None:
        self._address = address
        self._most_bytes = most_bytes
        self._text_bytes = None if text_bytes is None else self._length(text_bytes)
        self._start = -(self._text_bytes or 0) % _ALIGNMENT
        self._content = bytearray(self._start)

    def add(self, piece: bytes) -> None:
        """Raises `MessageTooLarge`."""
        self._content += piece
        if len(self._content) - self._start > self._most_bytes:
            raise too_large(self._address, "the answer", self._most_bytes)

    def answer(self, status: int) -> HttpAnswer:
        """What all the pieces are; raises `BadResponse`."""
        view = memoryview(self._content)[self._start :].toreadonly()
        text_bytes = self._text_bytes
        if text_bytes is None:
            return HttpAnswer(status, bytes(view))
        if text_bytes > len(view):
            raise BadResponse(f"the answer of {self._address} has {len(view)} bytes, but {text_bytes} of JSON")
        return HttpAnswer(status, bytes(view[:text_bytes]), view[text_bytes:])

    def _length(self, header: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", header):
            raise BadResponse(f"header {HEADER} of {self._address} is '{header[:64]}', expected a number of bytes")
        return int(header)


def too_large(address: str, what: str, most_bytes: int) -> MessageTooLarge:
    sentence = f"{address}: {what} is larger than max_message_bytes, {most_bytes}"
    return MessageTooLarge(sentence, grpc.StatusCode.RESOURCE_EXHAUSTED)
