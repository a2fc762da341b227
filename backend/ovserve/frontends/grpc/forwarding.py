"""RPCs that another process answers: as bytes there, and as bytes back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc

from ovserve.errors import OVServeError
from ovserve.frontends.grpc.status import STATUS, fitting
from ovserve.http2.call import Call
from ovserve.http2.inbox import Message
from ovserve.http2.methods import Method, Unary
from ovserve.http2.status import Refused
from ovserve.workers.letters.handed_on import Answered, AnswerRpc

_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The process that manages, for one that only serves."""

    ask: AnswerRpc

    def answer(self, path: str) -> Callable[[Message, Call], bytes]:
        """Make a handler that hands on what comes."""

        def hand_on(data: Message, call: Call) -> bytes:
            try:
                answer, status = self.ask(path, bytes(data), call.time_remaining())
            except OVServeError as error:
                raise Refused(STATUS[error.code], fitting(str(error))) from error
            if status is not None:
                raise Refused(_CODES[status[0]], status[1])
            return answer

        return hand_on


class _HandedOn:
    """A call that came to another process: what handlers of RPCs that manage may ask of it."""

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def time_remaining(self) -> float:
        return self._left_s

    def add_callback(self, _callback: Callable[[], None]) -> bool:
        return True

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def peer(self) -> str:
        return "worker"

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise Refused(code, details)


def answer_handed_on(method: Method | None, data: bytes, left_s: float) -> Answered:
    """Answer an RPC that came to another process, where its key was looked at."""
    call: Any = _HandedOn(left_s)
    if not isinstance(method, Unary):
        return b"", (grpc.StatusCode.UNIMPLEMENTED.value[0], "this is not answered for other processes")
    try:
        answer = method.answer(memoryview(data), call)
    except Refused as refused:
        return b"", (refused.code.value[0], refused.details)
    return (bytes(answer) if isinstance(answer, bytes | bytearray | memoryview) else b"".join(answer)), None
