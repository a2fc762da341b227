"""What a worker asks of the server, and tells it."""

from dataclasses import replace
from math import isinf
from typing import Any

import numpy as np

from ovserve.errors import InferenceFailed, NotReady
from ovserve.processes.channel import Channel, TooLarge
from ovserve.processes.error_letters import read_error
from ovserve.requests import Caller, Hurried, InferRequest
from ovserve.seeing.outcome import Outcome
from ovserve.serving.servable import SendResponse
from ovserve.tensors import DType, Tensor
from ovserve.workers.letters import values
from ovserve.workers.letters.conversation import Conversation, Pending
from ovserve.workers.letters.handed_on import Answered
from ovserve.workers.letters.request_letters import read_response, write_request

_READY_S = 6.0


class ServerSide:
    """Any thread may ask, but the one that receives."""

    def __init__(self, channel: Channel) -> None:
        self.conversation = Conversation(channel.send)

    def say(self, kind: str, **head: Any) -> None:
        self.conversation.say({"kind": kind, **head})

    def infer(
        self, number: int, request: InferRequest, caller: Caller, send: SendResponse, *, streams: bool, admitted: bool
    ) -> None:
        """Have the server run a request on what it alone has; raises the `OVServeError` that ends it."""
        written, tensors = write_request(request)
        inner = caller.caller if isinstance(caller, Hurried) else caller  # the server knows the request's time-out
        head = {"kind": "infer", "number": number, "request": written, "streams": streams, "admitted": admitted}
        label = f"model '{request.model}'"
        try:
            pending = self.conversation.begin({**head, "left_s": _seconds(inner)}, tensors)
        except TooLarge as error:
            raise InferenceFailed(f"{label}: the request is too large: {error}") from error
        try:
            if not caller.add_callback(lambda: self._leave(pending)):
                self._leave(pending)
            while self._take(pending, send, label):
                pass
        finally:
            pending.close()

    def _leave(self, pending: Pending) -> None:
        """Tell that the caller has gone; he goes too when he has his answer, which is not told."""
        if not pending.is_over:
            self.say("gone", c=pending.number)

    def _take(self, pending: Pending, send: SendResponse, label: str) -> bool:
        """Hand on one response, and tell whether others may follow."""
        frame = pending.next()
        if frame is None:
            raise NotReady(f"{label}: the server has gone")
        head = frame.head
        if "error" in head:
            raise read_error(head["error"])
        final = head["final"]
        goes_on = False
        try:
            if "refused" in head:
                send(read_error(head["refused"]), final=final)
            else:
                send(read_response(head["response"], frame.tensors) if "response" in head else None, final=final)
            goes_on = True
        finally:
            if not final:
                self.say("go", c=pending.number, on=goes_on)
        return not final

    def is_ready(self, number: int) -> bool:
        answer = self.conversation.ask({"kind": "is_ready", "number": number}, timeout_s=_READY_S)
        return answer is not None and bool(answer.head["ready"])

    def call(self, method: str, data: bytes, left_s: float) -> Answered:
        """Have the server answer an RPC; the bytes of the answer, or the status that it ends with."""
        left = None if isinf(left_s) else left_s
        message = Tensor(DType.UINT8, np.frombuffer(data, np.uint8))
        answer = self.conversation.ask({"kind": "rpc", "method": method, "left_s": left}, [message])
        if answer is None:
            raise NotReady("the server has gone")
        status = answer.head.get("status")
        return answer.tensors[0].data.tobytes(), None if status is None else (status[0], status[1])

    def trace(self, outcome: Outcome) -> None:
        """Have the server decide whether the request is one of those that are traced."""
        ran = None if outcome.ran is None else outcome.ran._replace(outputs={}, nodes=())
        self.say("outcome", outcome=values.write(replace(outcome, inputs={}, headers={}, ran=ran)))


def _seconds(caller: Caller) -> float | None:
    left_s = caller.time_remaining()
    return None if isinf(left_s) else left_s
