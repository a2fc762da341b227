"""A method behind a socket: its message parsed, its answer serialized, its errors made statuses."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from ovserve.errors import OVServeError, Unsupported
from ovserve.frontends.grpc.status import abort, known

Context = grpc.ServicerContext


def answering(
    method: Callable[[Any, Context], Any], request_type: Any, refused: Callable[[OVServeError], None] | None = None
) -> Any:
    """Make a handler of `method`, which may raise an `OVServeError`; `refused` is told of what could not be parsed.

    Messages arrive as bytes and are parsed in the handler's own thread: grpc would parse them in the one thread that
    serves all connections, and would answer unreadable ones with INTERNAL.
    """

    def answer(data: bytes, context: Context) -> bytes:
        request_id = ""
        try:
            request = request_type.FromString(data)
            request_id = getattr(request, "id", "")
            return bytes(method(request, context).SerializeToString())
        except Exception as error:  # noqa: BLE001 - told as a status, and logged where it is no known one
            told = known(error, request_type.DESCRIPTOR.full_name, request_id)
            if refused is not None and isinstance(error, DecodeError):
                refused(told)
        abort(context, told, request_id)

    return grpc.unary_unary_rpc_method_handler(answer)


def refusing(sentence: str) -> Any:
    """Make a handler that answers UNIMPLEMENTED with a sentence, whatever comes."""

    def refuse(_data: bytes, context: Context) -> bytes:
        abort(context, Unsupported(sentence))

    return grpc.unary_unary_rpc_method_handler(refuse)
