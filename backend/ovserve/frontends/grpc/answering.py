"""A method behind a socket: its message parsed, its answer serialized, its errors made statuses."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from ovserve.errors import InvalidInput, OVServeError, Unsupported
from ovserve.frontends.grpc.status import abort
from ovserve.observability.logs import get_logger

logger = get_logger("ovserve.grpc")

Context = grpc.ServicerContext


def answering(
    method: Callable[[Any, Context], Any], request_type: Any, refused: Callable[[OVServeError], None] | None = None
) -> Any:
    """Make a handler of `method`, which may raise an `OVServeError`; `refused` is told of what could not be parsed.

    Messages arrive as bytes and are parsed in the handler's own thread: grpc would parse them in the one thread that
    serves all connections, and would answer unreadable ones with INTERNAL.
    """
    name = request_type.DESCRIPTOR.full_name

    def answer(data: bytes, context: Context) -> bytes:
        try:
            return bytes(method(request_type.FromString(data), context).SerializeToString())
        except DecodeError:
            error: OVServeError = InvalidInput(f"the message is not a valid {name}")
            if refused is not None:
                refused(error)
        except OVServeError as known:
            error = known
        except Exception:
            # The last line of defence: the fault goes to the log whole, and to the client without a word of it.
            logger.exception("internal error", rpc=name)
            error = OVServeError("internal error: the server's log has the details")
        abort(context, error)

    return grpc.unary_unary_rpc_method_handler(answer)


def refusing(sentence: str) -> Any:
    """Make a handler that answers UNIMPLEMENTED with a sentence, whatever comes."""

    def refuse(_data: bytes, context: Context) -> bytes:
        abort(context, Unsupported(sentence))

    return grpc.unary_unary_rpc_method_handler(refuse)
