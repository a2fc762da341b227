"""The one table from neutral codes to gRPC's, and how an error leaves the server."""

from typing import NoReturn

import grpc
from google.protobuf.message import DecodeError

from ovserve.errors import Code, InvalidInput, OVServeError
from ovserve.http2.call import Call
from ovserve.observability.logs import get_logger

STATUS = {
    Code.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Code.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Code.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Code.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Code.NOT_READY: grpc.StatusCode.UNAVAILABLE,
    Code.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Code.DEADLINE: grpc.StatusCode.DEADLINE_EXCEEDED,
    Code.CANCELLED: grpc.StatusCode.CANCELLED,
    Code.UNSUPPORTED: grpc.StatusCode.UNIMPLEMENTED,
    Code.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Code.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Code.ABORTED: grpc.StatusCode.ABORTED,
    Code.INTERNAL: grpc.StatusCode.INTERNAL,
}

logger = get_logger("ovserve.grpc")

# Details travel as an HTTP/2 header, percent-encoded; peers refuse headers of more than 8 KiB in all.
_MOST_ENCODED_BYTES = 4096
_MOST_ID_CHARACTERS = 64


def abort(context: Call, error: OVServeError, request_id: str = "") -> NoReturn:
    """End the call with the error's status and sentence, prefixed with the request's id as Triton does."""
    context.abort(STATUS[error.code], fitting(sentence(error, request_id)))


def sentence(error: OVServeError, request_id: str) -> str:
    prefix = f"[request id: {request_id[:_MOST_ID_CHARACTERS]}] " if request_id else ""
    return prefix + str(error)


def known(error: Exception, message: str, request_id: str) -> OVServeError:
    """Find what a caller is told of an error that ended a request, which is a `message` of the protocol.

    The last line of defence: a fault goes to the log whole, and to the client without a word of it.
    """
    if isinstance(error, DecodeError):
        return InvalidInput(f"the message is not a valid {message}")
    if isinstance(error, OVServeError):
        return error
    logger.error("internal error", rpc=message, request_id=request_id, exc_info=error)
    return OVServeError("internal error: the server's log has the details")


def fitting(details: str) -> str:
    """Cut a sentence (it may quote a client's own megabyte-long name) to what a header carries."""
    details = details.encode(errors="replace").decode()  # what Python lets into a text, and UTF-8 does not
    size = 0
    for index, character in enumerate(details):
        size += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode(errors="replace"))
        if size > _MOST_ENCODED_BYTES:
            return details[:index] + "..."
    return details
