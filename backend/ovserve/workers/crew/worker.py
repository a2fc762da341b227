"""One worker, as the server has it."""

import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from ovserve.processes.channel import Frame
from ovserve.processes.worker_process import WorkerProcess
from ovserve.serving.readings import Reading
from ovserve.serving.servable import Servable
from ovserve.tensors import Tensor
from ovserve.workers.crew.parts import Part
from ovserve.workers.letters import values
from ovserve.workers.letters.conversation import Conversation, Head, Pending
from ovserve.workers.letters.counts import Counts

_MODULE = "ovserve.workers.member"
_SEND_S = 5.0
_PAUSE_S = 0.01


class Takes(Protocol):
    """Whoever gets what a worker says, in the thread that receives from it, where nothing may be waited for."""

    def take(self, worker: "Worker", frame: Frame) -> None: ...

    def ended(self, worker: "Worker", how: str) -> None: ...


class Worker:
    """Started at once; `number` counts from 2, for the server itself is the first worker."""

    def __init__(self, number: int, takes: Takes) -> None:
        self.number = number
        self.has: set[int] = set()  # what it was asked to load
        self.readings: dict[int, Reading] = {}
        self.counts = Counts()
        self._takes = takes
        self._held: dict[int, Servable] = {}
        self._is_over = False
        self._lock = threading.Lock()
        self.conversation = Conversation(lambda head, tensors: self.process.say(head, tensors))  # noqa: PLW0108 - there is none yet
        self._files, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._files.setblocking(False)  # noqa: FBT003 - it blocks or not
        try:
            self.process = WorkerProcess(
                _MODULE, f"worker-{number}", self._take, self._ended, others=(theirs.fileno(),)
            )
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def say(self, kind: str, **head: Any) -> None:
        self.conversation.say({"kind": kind, **head})

    def begin(self, kind: str, **head: Any) -> Pending:
        return self.conversation.begin({"kind": kind, **head})

    def begin_load(self, part: Part) -> Pending:
        self.has.add(part.number)
        config = values.write(part.config)
        weights = None if part.weights is None else str(part.weights.path)
        return self.begin(
            "load", number=part.number, config=config, version=part.version, place=str(part.place), weights=weights
        )

    def send_file(self, head: Mapping[str, Any], file: int) -> bool:
        """Give it an open file; False where it takes none any more, or has not taken many others."""
        try:
            socket.send_fds(self._files, [json.dumps(head).encode()], [file])
        except OSError:
            return False
        return True

    def begin_file(self, kind: str, about: Mapping[str, Any], file: int) -> Pending:
        """Give it an open file, and wait later until it has it."""

        def say(head: Head, _tensors: Sequence[Tensor]) -> None:
            until_s = time.monotonic() + _SEND_S
            while not self.send_file(head, file) and time.monotonic() < until_s:
                time.sleep(_PAUSE_S)

        return self.conversation.begin({"kind": kind, **about}, say=say)

    def hold(self, number: int, servable: Servable) -> None:
        """Have a version that is retired not be empty before it is empty there."""
        with self._lock:
            if number not in self._held and not self._is_over:
                self._held[number] = servable
                servable.in_flight.__enter__()

    def let_go(self, number: int) -> None:
        with self._lock:
            servable = self._held.pop(number, None)
        if servable is not None:
            servable.in_flight.__exit__(None, None, None)

    def count(self, counts: Counts) -> None:
        """Take note of what it has counted."""
        self.readings.update(counts.versions)
        self.counts = counts

    def _take(self, frame: Frame) -> None:
        if frame.head["kind"] == "answer":
            self.conversation.take_answer(frame)
        else:
            self._takes.take(self, frame)

    def _ended(self, how: str) -> None:
        self.conversation.end()
        with suppress(OSError):
            self._files.close()
        self._takes.ended(self, how)
        with self._lock:
            self._is_over = True
        for number in list(self._held):
            self.let_go(number)
