"""What the model in this worker may ask of the server, which answers over the channel."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from ovserve.engine.python_backend.instance import Call, Reply
from ovserve.engine.python_backend.isolated.letters import read_result, write_call
from ovserve.engine.python_backend.isolated.responses import number_of
from ovserve.errors import InferenceFailed
from ovserve.processes.channel import Channel, Frame, TooLarge
from ovserve.processes.error_letters import read_error
from ovserve.tensors import Tensor


class WorkerHost:
    """Any thread may ask (a `Host`); the thread that receives hands over the answers with `take`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count(1)
        self._waiting: dict[int, SimpleQueue[Frame]] = {}

    def take(self, frame: Frame) -> None:
        waiting = self._waiting.get(frame.head["c"])
        if waiting is not None:
            waiting.put(frame)

    def call(self, call: Call, take: Callable[[Reply], bool]) -> None:
        number, tensors = next(self._numbers), list[Tensor]()
        request = None if call.on_behalf_of is None else number_of(call.on_behalf_of)
        head = write_call(call, number, request, tensors)
        answers = self._waiting[number] = SimpleQueue[Frame]()
        try:
            self._channel.send({"kind": "call", **head}, tensors)
            while (frame := answers.get()).head["kind"] != "end":
                reply = read_result(frame.head["reply"], frame.tensors)
                goes_on = isinstance(reply, Reply) and take(reply)
                if call.many:
                    self._channel.send({"kind": "go", "c": number, "on": goes_on})
        except TooLarge as error:
            take(InferenceFailed(f"the request to model '{call.model}' is too large: {error}"))
        finally:
            self._waiting.pop(number, None)

    def is_ready(self, model: str, version: int | None) -> bool:
        return bool(self._ask("is_ready", model, version))

    def make_metric(
        self, name: str, kind: str, description: str, labels: Mapping[str, str], buckets: Sequence[float]
    ) -> int:
        return int(self._ask("make_metric", name, kind, description, dict(labels), list(buckets)))

    def change_metric(self, metric: int, operation: str, value: float) -> None:
        self._ask("change_metric", metric, operation, value)

    def read_metric(self, metric: int) -> float:
        return float(self._ask("read_metric", metric))

    def drop_metric(self, metric: int) -> None:
        # A garbage collection may call this anywhere, so nothing is waited for.
        self._channel.send({"kind": "ask", "c": 0, "what": "drop_metric", "with": [metric]})

    def _ask(self, what: str, *arguments: Any) -> Any:
        number = next(self._numbers)
        answers = self._waiting[number] = SimpleQueue[Frame]()
        try:
            self._channel.send({"kind": "ask", "c": number, "what": what, "with": arguments})
            head = answers.get().head
        except TooLarge as error:
            raise InferenceFailed(f"{what}: {error}") from error
        finally:
            self._waiting.pop(number, None)
        if "error" in head:
            raise read_error(head["error"])
        return head["value"]
