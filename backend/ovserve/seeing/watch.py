"""Follows an inference request from the door to its answer, and tells those who look what became of it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from ovserve.observability.logs import get_logger
from ovserve.requests import Door, InferRequest, InferResponse
from ovserve.seeing.outcome import OK, Outcome, bounded, code_of

logger = get_logger("ovserve.seeing")

Look: TypeAlias = Callable[[Outcome], None]
Headers: TypeAlias = Callable[[], Iterable[tuple[str, Any]] | None]

_TRACE_CONTEXT = ("traceparent", "tracestate")
_MOST_CHARACTERS = 512  # of a tracestate; a traceparent has 55


class Watch:
    """A `with` block around one request: what is raised in it, or told to `refuse`, is why it was refused.

    A door says what it knows as soon as it does; this one does nothing at all, for when nobody looks.
    """

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was noted."""

    def know(self, model: str, version: int | str | None, request_id: str) -> None:
        """Note what is asked, as far as the door has read it."""

    def carry(self, headers: Headers) -> None:
        """Note W3C's trace context (https://www.w3.org/TR/trace-context/) of those that came with the request."""

    def begin(self, request: InferRequest) -> None:
        """Note the request as the core gets it."""

    def end(self, response: InferResponse | None) -> None:
        """Note what the core answered, None for nothing."""

    def refuse(self, error: BaseException) -> None:
        """Note why there is no answer, where that is not raised."""


NOBODY = Watch()


class Watching(Watch):
    """Notes it all, and tells `looks` at the end of the block."""

    __slots__ = (
        "_before_ns",
        "_begun_ns",
        "_code",
        "_door",
        "_headers",
        "_inside_ns",
        "_looks",
        "_model",
        "_reason",
        "_request",
        "_request_id",
        "_response",
        "_started_ns",
        "_version",
        "_wants_headers",
    )

    def __init__(self, door: Door, looks: Sequence[Look], *, wants_headers: bool) -> None:
        self._wants_headers = wants_headers
        self._door = door
        self._looks = looks
        self._headers: Mapping[str, str] = {}
        self._model = self._request_id = ""
        self._version: int | str | None = None
        self._request: InferRequest | None = None
        self._response: InferResponse | None = None
        self._code, self._reason = OK, ""
        self._before_ns = self._inside_ns = 0
        self._begun_ns = time.time_ns()
        self._started_ns = time.perf_counter_ns()

    def know(self, model: str, version: int | str | None, request_id: str) -> None:
        self._model, self._version, self._request_id = model, version, request_id

    def carry(self, headers: Headers) -> None:
        if self._wants_headers:
            self._headers = {
                key: value
                for key, value in headers() or ()
                if key in _TRACE_CONTEXT and isinstance(value, str) and len(value) <= _MOST_CHARACTERS
            }

    def begin(self, request: InferRequest) -> None:
        self._request = request
        self.know(request.model, request.version, request.id)
        self._before_ns = time.perf_counter_ns() - self._started_ns

    def end(self, response: InferResponse | None) -> None:
        self._inside_ns = time.perf_counter_ns() - self._started_ns - self._before_ns
        self._response = response

    def refuse(self, error: BaseException) -> None:
        self._code, self._reason = code_of(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._code == OK:
            self.refuse(error)
        outcome = self._outcome()
        for look in self._looks:
            try:
                look(outcome)
            except Exception:  # which is no reason not to answer the request
                logger.exception("what became of a request could not be told")

    def _outcome(self) -> Outcome:
        response = self._response
        return Outcome(
            self._door,
            bounded(self._model),
            _version(self._version) if response is None else response.version,
            bounded(self._request_id),
            {} if self._request is None else self._request.inputs,
            self._code,
            self._reason,
            self._begun_ns,
            self._before_ns,
            self._inside_ns,
            time.perf_counter_ns() - self._started_ns,
            None if response is None else response.ran,
            self._headers,
            self._started_ns,
        )


def _version(asked: int | str | None) -> int | str | None:
    """Read a version in an address, which may be anything."""
    if not isinstance(asked, str):
        return asked
    is_number = asked.isascii() and asked.isdecimal() and len(asked) < 20  # noqa: PLR2004 - digits of 64 bits
    return int(asked) if is_number else bounded(asked)
