"""The one table from neutral codes to Triton's, which has fewer."""

from typing import Any

from ovserve.errors import Code, OVServeError

STATUS = {
    Code.INVALID: "INVALID_ARG",
    Code.PRECONDITION: "INVALID_ARG",
    Code.NOT_FOUND: "NOT_FOUND",
    Code.EXISTS: "INTERNAL",  # regions are Triton's own there
    Code.NOT_READY: "UNAVAILABLE",
    Code.OVERLOADED: "UNAVAILABLE",
    Code.DEADLINE: "UNAVAILABLE",
    Code.CANCELLED: "CANCELLED",
    Code.UNSUPPORTED: "UNSUPPORTED",
    Code.FORBIDDEN: "INTERNAL",  # nobody is asked for rights here
    Code.UNAUTHENTICATED: "INTERNAL",  # nor for keys
    Code.ABORTED: "INTERNAL",  # pipelines are Triton's own there
    Code.INTERNAL: "INTERNAL",
}


def failure(pb: Any, error: OVServeError) -> Any:
    """Make the response that says why there is no other."""
    return pb.InferenceResponse(error=pb.TritonError(str(error), getattr(pb.TritonError, STATUS[error.code])))
