"""The one table from HTTP's statuses to errors, and the sentence of a refusal."""

import json
from http import HTTPStatus

import grpc

from ovclient._errors import (
    AccessDenied,
    BadResponse,
    DeadlineExceeded,
    InvalidRequest,
    MessageTooLarge,
    NotFound,
    NotReady,
    OVClientError,
    Overloaded,
    ServerFailure,
    Unsupported,
)

_Code = grpc.StatusCode
_ERRORS: dict[int, tuple[type[OVClientError], grpc.StatusCode]] = {
    204: (ServerFailure, _Code.ABORTED),  # a pipeline found nothing
    400: (InvalidRequest, _Code.INVALID_ARGUMENT),
    401: (AccessDenied, _Code.UNAUTHENTICATED),
    403: (AccessDenied, _Code.PERMISSION_DENIED),
    404: (NotFound, _Code.NOT_FOUND),
    405: (Unsupported, _Code.UNIMPLEMENTED),
    406: (Unsupported, _Code.UNIMPLEMENTED),  # OVMS's 405
    408: (DeadlineExceeded, _Code.DEADLINE_EXCEEDED),
    409: (InvalidRequest, _Code.ALREADY_EXISTS),
    412: (InvalidRequest, _Code.FAILED_PRECONDITION),
    413: (MessageTooLarge, _Code.RESOURCE_EXHAUSTED),
    415: (Unsupported, _Code.UNIMPLEMENTED),
    429: (Overloaded, _Code.RESOURCE_EXHAUSTED),
    431: (MessageTooLarge, _Code.RESOURCE_EXHAUSTED),
    500: (ServerFailure, _Code.INTERNAL),
    501: (Unsupported, _Code.UNIMPLEMENTED),
    502: (NotReady, _Code.UNAVAILABLE),
    503: (NotReady, _Code.UNAVAILABLE),
    504: (DeadlineExceeded, _Code.DEADLINE_EXCEEDED),
}
_FIRST_REFUSAL = 400


def error_of(status: int, text: bytes, address: str) -> OVClientError:
    """Say an answer that is no 200 as the error a caller can act on; `code` is that of gRPC for the same."""
    if status not in _ERRORS and status < _FIRST_REFUSAL:
        return BadResponse(f"{address} answered {_shown(status)}, which is no answer of this protocol")
    kind, code = _ERRORS.get(status, (ServerFailure, _Code.UNKNOWN))
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
