"""The conversation with one worker, from its start to its end."""

import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ovserve.config.declared import Document
from ovserve.engine.crew import Crew
from ovserve.engine.python_backend.instance import Asked, Host, Later, Reply, Result
from ovserve.engine.python_backend.isolated.deliveries import Deliveries
from ovserve.engine.python_backend.isolated.letters import (
    GONE,
    Head,
    read_call,
    read_result,
    write_asked,
    write_result,
)
from ovserve.errors import InferenceFailed, LoadFailed, OVServeError
from ovserve.observability import logs
from ovserve.processes.channel import Frame, TooLarge
from ovserve.processes.error_letters import write_error
from ovserve.processes.worker_process import WorkerProcess
from ovserve.tensors import Tensor

_MODULE = "ovserve.engine.python_backend.isolated.worker"
_READY_S = 6.0  # the worker itself gives up on the model after 5
_CREW = Crew("python-worker")
_ASKED = frozenset({"is_ready", "make_metric", "change_metric", "read_metric", "drop_metric"})


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker is to load: one instance of a model."""

    file: Path
    name: str
    version: int
    document: Document
    instance: str = ""
    is_completed: bool = False

    @property
    def label(self) -> str:
        return f"model '{self.name}' version {self.version}"


@dataclass(slots=True)
class Open:
    """A request that the worker has; `is_left` once execute returned without its final response."""

    asked: Asked
    deliveries: Deliveries = field(default_factory=lambda: Deliveries(_CREW))
    is_left: bool = False
    is_cancelled: bool = False


class Session:
    """Starts the worker at once; `ended` is called when its process has ended, in the thread that received."""

    def __init__(self, part: Part, host: Host, ended: Callable[["Session"], None]) -> None:
        self.open: dict[int, Open] = {}
        self.opened = threading.Event()  # something was put into `open`
        self.end: str | None = None
        self._part = part
        self._host = host
        self._when_ended = ended
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._asking: dict[int, SimpleQueue[Frame | None]] = {}
        self._calls: dict[int, SimpleQueue[bool]] = {}
        self._level = ""
        self._metrics: set[int] = set()  # which the worker cannot drop any more when it dies
        self.process = WorkerProcess(_MODULE, part.name, self._take, self._ended)

    # What the server asks

    def load(self) -> Document:
        """Have the model loaded, and return its configuration, completed; raises `LoadFailed`."""
        part = self._part
        head = {
            "kind": "load",
            "file": str(part.file),
            "name": part.name,
            "version": part.version,
            "document": dict(part.document),
            "instance": part.instance,
            "is_completed": part.is_completed,
            "path": sys.path,
        }
        self._tell_level()
        answer = self._ask(head)
        if answer is None:
            sentence = f"'{part.file.name}': its process ended with {self.end} while it was loaded"
            raise LoadFailed(sentence, part.file)
        if "failed" in answer.head:
            raise LoadFailed(answer.head["failed"], part.file)
        document: Document = answer.head["document"]
        return document

    def execute(self, requests: Sequence[Asked]) -> Sequence[Result]:
        """Have them executed; AGAIN for all where the process has ended already."""
        numbers = [next(self._numbers) for _ in requests]
        with self._lock:
            if self.end is not None:
                return [Later.AGAIN] * len(requests)
            self.open.update((number, Open(asked)) for number, asked in zip(numbers, requests, strict=True))
        self.opened.set()
        results = self._executed(numbers, requests)
        for number, result in zip(numbers, results, strict=True):
            if result is not Later.BY_SENDER:
                self.open.pop(number, None)
            else:
                self._leave_open(number)
        return results

    def _executed(self, numbers: Sequence[int], requests: Sequence[Asked]) -> Sequence[Result]:
        tensors: list[Tensor] = []
        self._tell_level()
        try:
            heads = [write_asked(asked, number, tensors) for number, asked in zip(numbers, requests, strict=True)]
            answer = self._ask({"kind": "execute", "requests": heads}, tensors)
        except TooLarge as error:
            return [InferenceFailed(f"{self._part.label}: the request is too large: {error}") for _ in requests]
        if answer is None:
            return [self._failure() for _ in requests]
        found = [read_result(head, answer.tensors) for head in answer.head["results"]]
        return [InferenceFailed(f"{self._part.label}: no result") if one is None else one for one in found]

    def _leave_open(self, number: int) -> None:
        with self._lock:
            request = self.open.get(number)
            if request is None:
                return
            request.is_left = True
            if self.end is None:
                return
        self._fail(request)

    def is_ready(self) -> bool:
        answer = self._ask({"kind": "is_ready"}, timeout_s=_READY_S)
        return answer is not None and bool(answer.head["ready"])

    def cancel(self, number: int) -> None:
        """Tell the model that nobody waits for the request any more."""
        self.process.say({"kind": "cancel", "r": number})

    def finish(self) -> None:
        """Have the model finalize, and the process end."""
        self.process.say({"kind": "close"})

    def _tell_level(self) -> None:
        level = logs.level()
        if level != self._level:
            self._level = level
            self.process.say({"kind": "level", "level": level})

    def _ask(self, head: Head, tensors: Sequence[Tensor] = (), timeout_s: float | None = None) -> Frame | None:
        """Wait for the answer; None if the process ends before, or the time."""
        number = next(self._numbers)
        answers = SimpleQueue[Frame | None]()
        with self._lock:
            if self.end is not None:
                return None
            self._asking[number] = answers
        try:
            self.process.say({"c": number, **head}, tensors)
            return answers.get(timeout=timeout_s)
        except Empty:
            return None
        finally:
            self._asking.pop(number, None)

    # What the worker says

    def _take(self, frame: Frame) -> None:
        head = frame.head
        match head["kind"]:
            case "answer" if asking := self._asking.get(head["c"]):
                asking.put(frame)
            case "send":
                self._take_sent(frame)
            case "call":
                _CREW.run(partial(self._call, frame))
            case "go" if call := self._calls.get(head["c"]):
                call.put(bool(head["on"]))
            case "ask" if head["what"] == "is_ready":
                _CREW.run(partial(self._answer, head))
            case "ask":
                self._answer(head)
            case "log":
                logs.relay(head["logger"], head["level"], head["fields"])

    def _take_sent(self, frame: Frame) -> None:
        head = frame.head
        request = self.open.pop(head["r"], None) if head["final"] else self.open.get(head["r"])
        if request is None:
            self._say_taken(head)
            return
        reply = read_result(head["reply"], frame.tensors)

        def hand_on() -> None:
            request.asked.send(None if isinstance(reply, Later) else reply, final=head["final"])
            self._say_taken(head)

        request.deliveries.add(hand_on)

    def _say_taken(self, head: Head) -> None:
        if head["s"]:
            self.process.say({"kind": "taken", "s": head["s"]})

    def _call(self, frame: Frame) -> None:
        head, number = frame.head, frame.head["c"]
        goes_on = self._calls[number] = SimpleQueue[bool]()

        def take(reply: Reply) -> bool:
            if self.end is not None:
                return False
            self._say_reply(number, reply)
            return goes_on.get() if head["many"] else True

        self._host.call(read_call(head, frame.tensors, self._on_behalf_of(head)), take)
        self._calls.pop(number, None)
        self.process.say({"kind": "end", "c": number})

    def _on_behalf_of(self, head: Head) -> Asked | None:
        if "r" not in head:
            return None
        request = self.open.get(head["r"])
        return Asked({}, (), within=tuple(head["within"]), caller=GONE) if request is None else request.asked

    def _say_reply(self, number: int, reply: Reply) -> None:
        tensors: list[Tensor] = []
        head = {"kind": "reply", "c": number}
        try:
            self.process.say({**head, "reply": write_result(reply, tensors)}, tensors)
        except TooLarge as error:
            failed = InferenceFailed(f"the response is too large: {error}")
            self.process.say({**head, "reply": write_result(failed, [])})

    def _answer(self, head: Head) -> None:
        """Do what the worker asks of the host."""
        answer: dict[str, Any] = {}
        try:
            if head["what"] in _ASKED:
                answer["value"] = getattr(self._host, head["what"])(*head["with"])
            if head["what"] == "make_metric":
                self._metrics.add(answer["value"])
            elif head["what"] == "drop_metric":
                self._metrics.discard(*head["with"])
        except OVServeError as error:
            answer["error"] = write_error(error)
        if head["c"]:
            self.process.say({"kind": "answer", "c": head["c"], **answer})

    # Its end

    def _ended(self, how: str) -> None:
        with self._lock:
            self.end = how
            left = [request for request in self.open.values() if request.is_left]
            asking, calls = list(self._asking.values()), list(self._calls.values())
        self.opened.set()
        for request in left:
            self._fail(request)
        for answers in asking:
            answers.put(None)
        for goes_on in calls:
            goes_on.put(False)  # noqa: FBT003 - it goes on or not
        for metric in self._metrics:
            self._host.drop_metric(metric)
        self._when_ended(self)

    def _fail(self, request: Open) -> None:
        request.deliveries.add(lambda: request.asked.send(self._failure(), final=True))

    def _failure(self) -> OVServeError:
        return InferenceFailed(f"{self._part.label}: its process ended with {self.end} while it ran the request")
