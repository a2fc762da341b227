"""Responses that the model in this worker sends by itself."""

import itertools
import threading
from collections.abc import Callable

from ovserve.engine.python_backend.instance import Asked, Reply
from ovserve.engine.python_backend.isolated.letters import write_result
from ovserve.errors import InferenceFailed, OVServeError
from ovserve.processes.channel import Channel, TooLarge
from ovserve.tensors import Tensor

_numbers = itertools.count(1)
_untaken: dict[int, threading.Event] = {}


class Responses:
    """Sends those of one request (a `Send`), each once the server has handed on the one before: who sends waits."""

    def __init__(self, channel: Channel, number: int, forget: Callable[[], object]) -> None:
        self.number = number
        self.is_cancelled = False
        self._channel = channel
        self._forget = forget

    def __call__(self, reply: Reply | None, *, final: bool) -> None:
        if final:
            self._forget()
        if final and isinstance(reply, OVServeError):
            # A garbage collection may send this anywhere, so nothing is waited for.
            self._send(reply, final=True, number=0)
            return
        number = next(_numbers)
        taken = _untaken[number] = threading.Event()
        self._send(reply, final=final, number=number)
        taken.wait()

    def _send(self, reply: Reply | None, *, final: bool, number: int) -> None:
        head = {"kind": "send", "r": self.number, "s": number, "final": final}
        tensors: list[Tensor] = []
        try:
            self._channel.send({**head, "reply": write_result(reply, tensors)}, tensors)
        except TooLarge as error:
            failed = InferenceFailed(f"the response is too large: {error}")
            self._channel.send({**head, "reply": write_result(failed, [])})

    @staticmethod
    def take(number: int) -> None:
        """Let the one who sent this go on."""
        taken = _untaken.pop(number, None)
        if taken is not None:
            taken.set()


def number_of(asked: Asked) -> int | None:
    """Tell the number of a request that came over the channel."""
    return asked.send.number if isinstance(asked.send, Responses) else None
