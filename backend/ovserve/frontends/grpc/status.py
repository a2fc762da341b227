"""The one table from neutral codes to gRPC's, and how an error leaves the server."""

from typing import NoReturn

import grpc

from ovserve.errors import Code, OVServeError

STATUS = {
    Code.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Code.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Code.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
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

# Details travel as an HTTP/2 header, percent-encoded; peers refuse headers of more than 8 KiB in all.
_MOST_ENCODED_BYTES = 4096
_MOST_ID_CHARACTERS = 64


def abort(context: grpc.ServicerContext, error: OVServeError, request_id: str = "") -> NoReturn:
    """End the call with the error's status and sentence, prefixed with the request's id as Triton does."""
    prefix = f"[request id: {request_id[:_MOST_ID_CHARACTERS]}] " if request_id else ""
    context.abort(STATUS[error.code], fitting(prefix + str(error)))


def fitting(details: str) -> str:
    """Cut a sentence (it may quote a client's own megabyte-long name) to what a header carries."""
    size = 0
    for index, character in enumerate(details):
        size += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode(errors="replace"))
        if size > _MOST_ENCODED_BYTES:
            return details[:index] + "..."
    return details
