"""A unary call that is ready to be answered."""

import grpc

from ovserve.http2.call import Call
from ovserve.http2.inbox import Message
from ovserve.http2.methods import Unary
from ovserve.http2.status import INTERNAL, Refused


class UnaryWork:
    """Has a call's message answered, once."""

    __slots__ = ("_call", "_message")

    def __init__(self, call: Call, message: Message) -> None:
        self._call = call
        self._message = message

    def __call__(self) -> None:
        call, message = self._call, self._message
        del self._message  # the bytes are not needed as long as the call is
        method = call.method
        if call.over or not isinstance(method, Unary):
            return
        if call.deadline is not None and not call.time_remaining():
            call.finish(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before its turn came")
            return
        try:
            answer = method.answer(message, call)
        except Refused as refused:
            call.finish(refused.code, refused.details)
        except Exception:
            call.finish(grpc.StatusCode.INTERNAL, INTERNAL)
            raise  # to the log
        else:
            call.answer(answer)
