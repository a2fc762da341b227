"""What HTTP's library raises where no answer came -> errors."""

from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import grpc
from urllib3 import exceptions as http

from ovclient._errors import BadResponse, ConnectionFailed, DeadlineExceeded, OVClientError


def failure_of(error: Exception, address: str, timeout_s: float | None) -> OVClientError:
    """Say it as the error a caller can act on; `code` is that of gRPC for the same."""
    cause = _cause(error)
    if isinstance(error, http.NewConnectionError | http.SSLError | http.LocationValueError):
        return ConnectionFailed(f"could not connect to {address}: {_reason(error)}", grpc.StatusCode.UNAVAILABLE)
    if isinstance(error, http.TimeoutError) or isinstance(cause, TimeoutError):
        return late(address, timeout_s)
    if isinstance(cause, HTTPException) and not isinstance(cause, RemoteDisconnected | IncompleteRead):
        return BadResponse(f"the answer of {address} is no HTTP: {cause!r:.200}")
    return ConnectionFailed(f"lost the connection to {address}: {_reason(cause or error)}", grpc.StatusCode.UNAVAILABLE)


def late(address: str, timeout_s: float | None) -> DeadlineExceeded:
    waited = f" within {timeout_s:g} s" if timeout_s is not None else " in time"
    return DeadlineExceeded(f"no answer from {address}{waited}", grpc.StatusCode.DEADLINE_EXCEEDED)


def _cause(error: Exception) -> BaseException | None:
    found = next((argument for argument in error.args if isinstance(argument, Exception)), None)
    return found if isinstance(error, http.ProtocolError) else None


def _reason(error: BaseException) -> str:
    """The sentence without the objects that the library names in it."""
    told = str(error).rpartition("> ")[2].rpartition("): ")[2] or str(error) or type(error).__name__
    return told.removeprefix("Failed to establish a new connection: ")
