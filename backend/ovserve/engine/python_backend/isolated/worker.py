"""The process of one instance: it loads the model and executes what comes over the channel.

`python -m ovserve.engine.python_backend.isolated.worker SOCKET LIFELINE`, two descriptors that it inherits.
"""

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from ovserve.config.declared import TritonConfig
from ovserve.engine.python_backend.instance import Asked, Later, Result
from ovserve.engine.python_backend.isolated.letters import Head, read_asked, write_result
from ovserve.engine.python_backend.isolated.responses import Responses
from ovserve.engine.python_backend.isolated.worker_host import WorkerHost
from ovserve.engine.python_backend.load_python import load_python
from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.errors import InferenceFailed, LoadFailed
from ovserve.observability import logs
from ovserve.processes.channel import Channel, Frame, TooLarge
from ovserve.processes.lifeline import die_with
from ovserve.processes.worker_log import send_log
from ovserve.tensors import Tensor

_FAULT = 70  # of ours


class Worker:
    """One thread receives; the main thread runs the model, which may have threads of its own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._host = WorkerHost(channel)
        self._jobs: SimpleQueue[Frame] = SimpleQueue()
        self._open: dict[int, Responses] = {}
        self._model: PythonModel | None = None
        self._label = ""

    def run(self) -> None:
        """Work until the server has the model closed."""
        threading.Thread(target=self._receive, name="channel", daemon=True).start()
        while (frame := self._jobs.get()).head["kind"] != "close":
            if frame.head["kind"] == "load":
                self._load(frame.head)
            else:
                self._execute(frame)
        if self._model is not None:
            self._model.close()

    def _receive(self) -> None:
        """Receive until the server has gone, and end then, whatever the model does."""
        try:
            while (frame := self._channel.receive()) is not None:
                self._take(frame)
        except Exception:  # noqa: BLE001 - without this thread there is nothing left to do
            traceback.print_exc()
            os._exit(_FAULT)
        os._exit(0)

    def _take(self, frame: Frame) -> None:
        head = frame.head
        match head["kind"]:
            case "load" | "execute" | "close":
                self._jobs.put(frame)
            case "reply" | "end" | "answer":
                self._host.take(frame)
            case "taken":
                Responses.take(head["s"])
            case "cancel" if responses := self._open.get(head["r"]):
                responses.is_cancelled = True
            case "is_ready":
                threading.Thread(target=self._tell_ready, args=(head["c"],), daemon=True).start()
            case "level":
                logs.set_level(head["level"])

    def _load(self, head: Head) -> None:
        sys.path += [place for place in head["path"] if place not in sys.path]
        config = TritonConfig(head["name"], document=head["document"])
        try:
            self._model = load_python(
                Path(head["file"]),
                config,
                name=head["name"],
                version=head["version"],
                host=self._host,
                instance=head["instance"],
                completed=head["document"] if head["is_completed"] else None,
                copies=False,
            )
        except LoadFailed as error:
            self._answer(head["c"], {"failed": str(error)})
            return
        self._label = f"model '{head['name']}' version {head['version']}"
        self._answer(head["c"], {"document": dict(self._model.document)})

    def _execute(self, frame: Frame) -> None:
        asked = [self._asked(head, frame) for head in frame.head["requests"]]
        assert self._model is not None  # noqa: S101 - the server has it loaded first
        results = self._model.execute(asked)
        for one, result in zip(frame.head["requests"], results, strict=True):
            if result is not Later.BY_SENDER:
                self._open.pop(one["r"], None)
        self._send_results(frame.head["c"], results)

    def _asked(self, head: Head, frame: Frame) -> Asked:
        number = head["r"]
        responses = Responses(self._channel, number, lambda: self._open.pop(number, None))
        responses.is_cancelled = head.get("cancelled", False)
        self._open[number] = responses
        return read_asked(head, frame.tensors, responses, lambda: responses.is_cancelled)

    def _send_results(self, number: int, results: Sequence[Result]) -> None:
        tensors: list[Tensor] = []
        try:
            written = [write_result(result, tensors) for result in results]
            self._channel.send({"kind": "answer", "c": number, "results": written}, tensors)
        except TooLarge as error:
            failed = InferenceFailed(f"{self._label}: the response is too large: {error}")
            self._answer(number, {"results": [write_result(failed, []) for _ in results]})

    def _tell_ready(self, number: int) -> None:
        self._answer(number, {"ready": self._model is not None and self._model.is_ready()})

    def _answer(self, number: int, answer: Head) -> None:
        self._channel.send({"kind": "answer", "c": number, **answer})


def main(end: int, lifeline: int) -> None:
    die_with(lifeline)
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for the server, which ends its workers in order
        signal.signal(number, lambda *_: None)
    channel = Channel(socket.socket(fileno=end))
    send_log(channel)
    Worker(channel).run()
    sys.stdout.flush()
    os._exit(0)  # threads that the model left running are not waited for


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
