"""What workers hand on to the server: requests of what is served only here, and RPCs that are for the server."""

import time
from collections.abc import Sequence
from functools import partial
from math import inf
from queue import SimpleQueue
from typing import Any

import numpy as np

from ovserve.engine.crew import Crew
from ovserve.errors import Cancelled, NotReady, OVServeError
from ovserve.leaving_caller import LeavingCaller
from ovserve.observability.logs import get_logger
from ovserve.processes.channel import Frame, TooLarge
from ovserve.processes.error_letters import write_error
from ovserve.requests import InferRequest, InferResponse
from ovserve.serving.registry import Registry
from ovserve.serving.servable import Servable, Streaming
from ovserve.tensors import DType, Tensor
from ovserve.workers.crew.parts import Parts
from ovserve.workers.crew.worker import Worker
from ovserve.workers.letters.conversation import Head
from ovserve.workers.letters.handed_on import Answered, AnswerRpc, Status
from ovserve.workers.letters.request_letters import read_request, write_response

_UNAVAILABLE = 14

logger = get_logger("ovserve.workers")


class _Caller(LeavingCaller):
    """The one who waits in a worker."""

    def __init__(self, left_s: float | None) -> None:
        super().__init__()
        self._until_s = inf if left_s is None else time.monotonic() + left_s
        self.goes_on = SimpleQueue[bool]()  # says of each response but the last whether more are wanted

    def time_remaining(self) -> float:
        return max(0.0, self._until_s - time.monotonic())

    def leave(self) -> None:
        self.goes_on.put(False)  # noqa: FBT003 - it goes on or not
        super().leave()


class Calls:
    """Each runs in a thread of its own, of which there are no more than requests that the workers let in."""

    def __init__(self, parts: Parts, registry: Registry) -> None:
        self.answer_rpc: AnswerRpc = _not_yet
        self._parts = parts
        self._registry = registry
        self._crew = Crew("for-worker")
        self._open: dict[tuple[Worker, int], _Caller] = {}

    def infer(self, worker: Worker, frame: Frame) -> None:
        head = frame.head
        caller = self._open[worker, head["c"]] = _Caller(head["left_s"])
        self._crew.run(partial(self._infer, worker, head, frame.tensors, caller))

    def rpc(self, worker: Worker, frame: Frame) -> None:
        self._crew.run(partial(self._rpc, worker, frame))

    def gone(self, worker: Worker, frame: Frame) -> None:
        """The caller has gone."""
        caller = self._open.get((worker, frame.head["c"]))
        if caller is not None:
            caller.leave()

    def go(self, worker: Worker, frame: Frame) -> None:
        """A response has been taken."""
        caller = self._open.get((worker, frame.head["c"]))
        if caller is not None:
            caller.goes_on.put(frame.head["on"])

    def left(self, worker: Worker) -> None:
        for (whose, _), caller in list(self._open.items()):
            if whose is worker:
                caller.leave()

    def is_ready(self, worker: Worker, frame: Frame) -> None:
        self._crew.run(partial(self._is_ready, worker, frame.head))

    def _is_ready(self, worker: Worker, head: Head) -> None:
        servable = self._parts.find(head["number"])
        ready = servable is not None and (not isinstance(servable, Streaming) or servable.is_ready())
        worker.conversation.answer(head, {"ready": ready})

    def _infer(self, worker: Worker, head: Head, tensors: Sequence[Tensor], caller: _Caller) -> None:
        answer: Head | None = None
        try:
            request = read_request(head["request"], tensors)
            servable = self._parts.find(head["number"]) or self._registry.find(request.model, request.version)
            self._run(worker, head, servable, request, caller)
        except OVServeError as error:
            answer = {"error": write_error(error)}
        except Exception:
            logger.exception("a worker's request failed", worker=worker.number)
            answer = {"error": write_error(OVServeError("internal error: the server's log has the details"))}
        finally:
            self._open.pop((worker, head["c"]), None)
        if answer is not None:
            worker.conversation.answer(head, answer)

    def _run(self, worker: Worker, head: Head, servable: Servable, request: InferRequest, caller: _Caller) -> None:
        def send(response: InferResponse | OVServeError | None, *, final: bool) -> None:
            answer: dict[str, Any] = {"final": final}
            tensors: list[Tensor] = []
            if isinstance(response, OVServeError):
                answer["refused"] = write_error(response)
            elif response is not None:
                answer["response"], tensors = write_response(response)
            try:
                worker.conversation.answer(head, answer, tensors)
            except TooLarge as error:
                raise OVServeError(f"model '{request.model}': the response is too large: {error}") from error
            if not final and not caller.goes_on.get():
                raise Cancelled(f"model '{request.model}': the caller does not read the responses any more")

        if head["streams"] and isinstance(servable, Streaming):
            servable.infer_stream(request, caller, send, admitted=head["admitted"])
        else:
            send(servable.infer(request, caller, admitted=head["admitted"]), final=True)

    def _rpc(self, worker: Worker, frame: Frame) -> None:
        head = frame.head
        data = frame.tensors[0].data.tobytes() if frame.tensors else b""
        left_s = inf if head["left_s"] is None else head["left_s"]
        status: Status | None
        try:
            answer, status = self.answer_rpc(head["method"], data, left_s)
        except Exception:
            logger.exception("a worker's call failed", worker=worker.number, method=head["method"])
            answer, status = b"", (13, "internal error: the server's log has the details")
        tensors = [Tensor(DType.UINT8, np.frombuffer(answer, np.uint8))]
        worker.conversation.answer(head, {} if status is None else {"status": status}, tensors)


def _not_yet(_method: str, _data: bytes, _left_s: float) -> Answered:
    return b"", (_UNAVAILABLE, str(NotReady("the server is starting")))
