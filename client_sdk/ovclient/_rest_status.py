"""The one table from HTTP's statuses to gRPC's, whose errors they are, and the sentence of a refusal."""

import json
from http import HTTPStatus

import grpc

from ovclient._errors import BadResponse, MessageTooLarge, OVClientError, ServerFailure
from ovclient._status import ERRORS

_Code = grpc.StatusCode
_CODES = {
    204: _Code.ABORTED,  # a pipeline found nothing
    400: _Code.INVALID_ARGUMENT,
    401: _Code.UNAUTHENTICATED,
    403: _Code.PERMISSION_DENIED,
    404: _Code.NOT_FOUND,
    405: _Code.UNIMPLEMENTED,
    406: _Code.UNIMPLEMENTED,  # OVMS's 405
    408: _Code.DEADLINE_EXCEEDED,
    409: _Code.ALREADY_EXISTS,
    412: _Code.FAILED_PRECONDITION,
    413: _Code.RESOURCE_EXHAUSTED,
    415: _Code.UNIMPLEMENTED,
    429: _Code.RESOURCE_EXHAUSTED,
    431: _Code.RESOURCE_EXHAUSTED,
    500: _Code.INTERNAL,
    501: _Code.UNIMPLEMENTED,
    502: _Code.UNAVAILABLE,
    503: _Code.UNAVAILABLE,
    504: _Code.DEADLINE_EXCEEDED,
}
_TOO_LARGE = {413, 431}
_FIRST_REFUSAL = 400


def error_of(status: int, text: bytes, address: str) -> OVClientError:
    """Say an answer that is no 200 as the error a caller can act on; `code` is that of gRPC for the same."""
    if status not in _CODES and status < _FIRST_REFUSAL:
        return BadResponse(f"{address} answered {_shown(status)}, which is no answer of this protocol")
    code = _CODES.get(status, _Code.UNKNOWN)
    kind = MessageTooLarge if status in _TOO_LARGE else ERRORS.get(code, ServerFailure)
    return kind(_sentence(text) or f"{address} answered {_shown(status)} without a word", code)


def _sentence(text: bytes) -> str:
    """What `{"error": ...}` says; nothing where the answer is something else, such as a gateway's page."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    sentence = document.get("error") if isinstance(document, dict) else None
    return sentence.strip() if isinstance(sentence, str) else ""


def _shown(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
