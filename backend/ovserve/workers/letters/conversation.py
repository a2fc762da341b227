"""Questions and answers over a channel: both ends ask, and none waits in the thread that receives."""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from ovserve.processes.channel import Frame
from ovserve.tensors import Tensor

Head: TypeAlias = Mapping[str, Any]
Say: TypeAlias = Callable[[Head, Sequence[Tensor]], None]


class Pending:
    """An answer that is awaited, or several; None when the other end has gone, or the time is over."""

    def __init__(self, number: int, forget: Callable[[int], None]) -> None:
        self.number = number
        self.is_over = False
        self._forget = forget
        self._answers = SimpleQueue[Frame | None]()

    def put(self, frame: Frame | None) -> None:
        self._answers.put(frame)

    def get(self, timeout_s: float | None = None) -> Frame | None:
        """Wait for the only answer."""
        try:
            return self.next(timeout_s)
        finally:
            self.close()

    def next(self, timeout_s: float | None = None) -> Frame | None:
        """Wait for an answer after which others may come."""
        try:
            return self._answers.get(timeout=timeout_s)
        except Empty:
            return None

    def close(self) -> None:
        """Await no more."""
        self.is_over = True
        self._forget(self.number)


class Conversation:
    """Each question has a number, `c`, that its answer has too; what is only said has none."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._numbers = itertools.count(1)
        self._asking: dict[int, Pending] = {}
        self._lock = threading.Lock()
        self._ended = False

    def say(self, head: Head, tensors: Sequence[Tensor] = ()) -> None:
        """Send a letter; raises `TooLarge`."""
        self._say(head, tensors)

    def begin(self, head: Head, tensors: Sequence[Tensor] = (), say: Say | None = None) -> Pending:
        """Ask, in another way if `say` is one, and wait later; raises `TooLarge`."""
        number = next(self._numbers)
        pending = Pending(number, self._forget)
        with self._lock:
            if self._ended:
                pending.put(None)
                return pending
            self._asking[number] = pending
        try:
            (say or self._say)({**head, "c": number}, tensors)
        except Exception:
            self._forget(number)
            raise
        return pending

    def ask(self, head: Head, tensors: Sequence[Tensor] = (), timeout_s: float | None = None) -> Frame | None:
        """Ask and wait; None when the other end has gone, or the time is over."""
        return self.begin(head, tensors).get(timeout_s)

    def answer(self, question: Head, answer: Head, tensors: Sequence[Tensor] = ()) -> None:
        """Answer a question that came; raises `TooLarge`."""
        self._say({"kind": "answer", "c": question["c"], **answer}, tensors)

    def take_answer(self, frame: Frame) -> None:
        """Take an answer that came; one that nobody awaits any more is dropped."""
        pending = self._asking.get(frame.head["c"])
        if pending is not None:
            pending.put(frame)

    def end(self) -> None:
        """Have all who wait, now and later, know that the other end has gone."""
        with self._lock:
            self._ended = True
            asking = list(self._asking.values())
        for pending in asking:
            pending.put(None)

    def _forget(self, number: int) -> None:
        self._asking.pop(number, None)
