"""Bytes of HTTP/1.1 -> one answer. Pure."""

from httptools import HttpParserCallbackError, HttpParserError, HttpResponseParser

from ovclient._errors import BadResponse
from ovclient._rest_body import Body
from ovclient._rest_messages import HttpAnswer
from ovclient._rest_setup import RestSetup

_HEAD_BYTES = 1 << 16
_AROUND_BYTES = 4  # ": " and the end of the line
_FIRST_FINAL_STATUS = 200


class AnswerReader:
    """`answer` is None until all of it is there; `keeps` tells whether the connection may be used again."""

    def __init__(self, setup: RestSetup) -> None:
        self.answer: HttpAnswer | None = None
        self.keeps = False
        self._setup = setup
        self._parser = HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: Body | None = None
        self._fed_bytes = 0
        self._head_bytes = 0

    def feed(self, data: bytes) -> None:
        """Raises `BadResponse` and `MessageTooLarge`."""
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError as error:
            raise error.__context__ or error from None  # what a method below raised
        except HttpParserError as error:
            raise BadResponse(f"the answer of {self._setup.address} is no HTTP: {error!r:.200}") from None
        if self._body is None:
            self._check_head(self._fed_bytes)

    def end(self) -> None:
        """The connection has ended, which may be how the server tells the length; raises `ConnectionResetError`."""
        if self._body is None or self._headers.keys() & {"content-length", "transfer-encoding"}:
            raise ConnectionResetError("the server ended it before its answer did")
        self.on_message_complete()

    def _check_head(self, length: int) -> None:
        if length > _HEAD_BYTES:
            raise BadResponse(f"the answer of {self._setup.address} has more than {_HEAD_BYTES} bytes of headers")

    # The parser's methods

    def on_message_begin(self) -> None:
        if self.answer is not None:  # nobody asked for another one
            self.keeps = False
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + _AROUND_BYTES
        self._check_head(self._head_bytes)
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        if self.answer is None and self._parser.get_status_code() >= _FIRST_FINAL_STATUS:
            self.keeps = self._parser.should_keep_alive()
            self._body = self._setup.body(self._headers)

    def on_body(self, piece: bytes) -> None:
        if self._body is not None:
            self._body.add(piece)

    def on_message_complete(self) -> None:
        if self.answer is None and self._body is not None:
            self.answer = self._body.answer(self._parser.get_status_code())
