"""Why a server does not take picture files, and what to do about it."""

from ovclient._errors import InvalidRequest
from ovclient.cli.failure import CommandFailed

# What the sentence of a refusal contains, and the hint; the first that fits counts.
_HINTS = (
    ("not configured to accept NHWC layout", "start the server with --layout NHWC:NCHW"),
    ("--layout", ""),  # it says so itself
    ("Invalid number of channels", "the model takes other colours, or the server needs --layout NHWC:NCHW"),
    ("same resolution", "send one picture a request with --batchsize 1, or serve a fixed size with --shape"),
    ("datatype", "this server takes no picture files for that input: leave out --binary"),
    ("data-type", "this server takes no picture files for that input: leave out --binary"),
    ("precision", "this server takes no picture files for that input: leave out --binary"),
)


def refused(error: InvalidRequest) -> CommandFailed:
    """The server's sentence with a hint."""
    hint = next((hint for words, hint in _HINTS if words in str(error)), "")
    return CommandFailed(f"{error} ({hint})" if hint else str(error))
