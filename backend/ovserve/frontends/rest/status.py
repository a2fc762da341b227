"""The one table from neutral codes to HTTP's."""

from ovserve.errors import Code, NotInRepository, OVServeError

STATUS = {
    Code.INVALID: 400,
    Code.PRECONDITION: 412,
    Code.NOT_FOUND: 404,
    Code.NOT_READY: 503,
    Code.EXISTS: 409,
    Code.OVERLOADED: 429,
    Code.DEADLINE: 504,
    Code.CANCELLED: 499,  # nobody reads it
    Code.UNSUPPORTED: 501,
    Code.FORBIDDEN: 403,
    Code.UNAUTHENTICATED: 401,
    Code.ABORTED: 204,  # as OVMS, for a pipeline that found nothing
    Code.INTERNAL: 500,
}


def status_of(error: OVServeError) -> int:
    """Find the status of an error; to load what is not there is wrong of a client, says Triton over REST."""
    return 400 if isinstance(error, NotInRepository) else STATUS[error.code]
