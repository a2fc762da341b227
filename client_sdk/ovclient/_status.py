"""The one table from gRPC status codes to errors."""

import re
from typing import Any

import grpc

from ovclient._errors import (
    AccessDenied,
    BadResponse,
    ClientClosed,
    ConnectionFailed,
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
ERRORS: dict[grpc.StatusCode, type[OVClientError]] = {
    _Code.INVALID_ARGUMENT: InvalidRequest,
    _Code.OUT_OF_RANGE: InvalidRequest,
    _Code.FAILED_PRECONDITION: InvalidRequest,
    _Code.ALREADY_EXISTS: InvalidRequest,
    _Code.NOT_FOUND: NotFound,
    _Code.UNAVAILABLE: NotReady,
    _Code.RESOURCE_EXHAUSTED: Overloaded,
    _Code.UNAUTHENTICATED: AccessDenied,
    _Code.PERMISSION_DENIED: AccessDenied,
    _Code.UNIMPLEMENTED: Unsupported,
    _Code.DEADLINE_EXCEEDED: DeadlineExceeded,
}

# gRPC says UNAVAILABLE both when a server refuses and when there is none; only the text tells which.
_NO_SERVER = re.compile(
    r"failed to connect|errors resolving|dns resolution|handshake|connection (reset|refused|timed out)|socket closed|"
    r"goaway|broken pipe|cancelling all calls|stream removed|recvmsg|keepalive|connections to all backends",
    re.IGNORECASE,
)


def failed(failure: Any, address: str, timeout_s: float | None) -> OVClientError:
    """Say a failed call, as gRPC raises it, as the error a caller can act on."""
    return error_of(failure.code(), failure.details() or "", address, timeout_s)


def error_of(code: grpc.StatusCode, details: str, address: str, timeout_s: float | None) -> OVClientError:
    """Say a failed call's status as the error a caller can act on."""
    details = details.strip()
    lowered = details.lower()
    if code is _Code.DEADLINE_EXCEEDED:
        waited = f" within {timeout_s:g} s" if timeout_s is not None else " in time"
        return DeadlineExceeded(f"no answer from {address}{waited}", code)
    if code is _Code.UNAVAILABLE and _NO_SERVER.search(details):
        return ConnectionFailed(_connection_sentence(details, address), code)
    if code is _Code.RESOURCE_EXHAUSTED and "larger than max" in lowered:
        return MessageTooLarge(f"{address}: {details}", code)
    if code is _Code.CANCELLED and ("channel closed" in lowered or "locally cancelled" in lowered):
        return ClientClosed("the client was closed during the call", code)
    if code is _Code.INTERNAL and "deserializing response" in lowered:
        return BadResponse(f"the answer of {address} is no message of this protocol", code)
    return ERRORS.get(code, ServerFailure)(details or f"{address} answered {code.name} without a word", code)


def _connection_sentence(details: str, address: str) -> str:
    reason = details.rpartition("last error: ")[2]
    lost = "cancelling all calls" in details.lower() or "failed to connect" not in details.lower()
    if lost and "resolv" not in details.lower():
        return f"lost the connection to {address}: {reason}"
    return f"could not connect to {address}: {reason}"
