"""A method behind a socket: its message parsed, its answer serialized, its errors made statuses."""

from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError

from ovserve.errors import OVServeError, Unsupported
from ovserve.frontends.grpc.status import abort, known
from ovserve.http2.call import Call
from ovserve.http2.inbox import Message

Handler: TypeAlias = Callable[[Message, Call], bytes]


def answering(
    method: Callable[[Any, Call], Any], request_type: Any, refused: Callable[[OVServeError], None] | None = None
) -> Handler:
    """Make a handler of `method`, which may raise an `OVServeError`; `refused` is told of what could not be parsed."""

    def answer(data: Message, context: Call) -> bytes:
        request_id = ""
        try:
            request = request_type.FromString(bytes(data))
            request_id = getattr(request, "id", "")
            return bytes(method(request, context).SerializeToString())
        except Exception as error:  # noqa: BLE001 - told as a status, and logged where it is no known one
            told = known(error, request_type.DESCRIPTOR.full_name, request_id)
            if refused is not None and isinstance(error, DecodeError):
                refused(told)
        abort(context, told, request_id)

    return answer


def refusing(path: str) -> Handler:
    """Make a handler that answers UNIMPLEMENTED, whatever comes."""

    def refuse(_data: Message, context: Call) -> bytes:
        abort(context, Unsupported(f"{path.rpartition('/')[2]} is not supported by this server"))

    return refuse
