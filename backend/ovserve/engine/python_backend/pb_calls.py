"""Requests of a model's own to other models, as a Python model knows them from `triton_python_backend_utils`."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any

from ovserve.engine.python_backend import running
from ovserve.engine.python_backend.instance import Answer, Call, Host, Reply
from ovserve.engine.python_backend.pb_errors import TritonError, TritonErrorCode, TritonModelException
from ovserve.engine.python_backend.pb_requests import InferenceRequest, InferenceResponse
from ovserve.engine.python_backend.pb_tensor import replied
from ovserve.engine.python_backend.python_answer import sendable
from ovserve.engine.python_backend.received_request import SEQUENCE_END, SEQUENCE_START
from ovserve.errors import Code, InferenceFailed, OVServeError, Unsupported
from ovserve.requests import InSequence

_MOST_AT_ONCE = 256  # each has a thread
_MOST_UNREAD = 8  # responses of a decoupled model; more wait until these have been read
_CODES = {
    Code.INVALID: TritonErrorCode.INVALID_ARG,
    Code.PRECONDITION: TritonErrorCode.INVALID_ARG,
    Code.NOT_FOUND: TritonErrorCode.NOT_FOUND,
    Code.EXISTS: TritonErrorCode.ALREADY_EXISTS,
    Code.NOT_READY: TritonErrorCode.UNAVAILABLE,
    Code.OVERLOADED: TritonErrorCode.UNAVAILABLE,
    Code.DEADLINE: TritonErrorCode.CANCELLED,
    Code.CANCELLED: TritonErrorCode.CANCELLED,
    Code.UNSUPPORTED: TritonErrorCode.UNSUPPORTED,
}


class Caller:
    """Calls other models for all instances of one; `async_exec` and decoupled calls have threads."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def in_thread(self, work: Callable[[], None]) -> bool:
        """Do it in a thread, for the request that runs here; False where there are too many already."""
        if not self._room.acquire(blocking=False):
            return False
        context = contextvars.copy_context()

        def run() -> None:
            try:
                context.run(work)
            finally:
                self._room.release()

        threading.Thread(target=run, name="python-call", daemon=True).start()
        return True


class CallingRequest(InferenceRequest):
    """Can be sent: `caller` is the class's own, one per model."""

    caller: Caller

    def exec(self, decoupled: bool = False, execution_timeout: int = 0) -> Any:  # noqa: FBT001, FBT002 - as in Triton
        """Send it and wait: for one response or, with `decoupled`, for an iterator over any number.

        Errors are in the response. `execution_timeout` is in milliseconds.
        """
        call = self._call(many=decoupled, timeout_ms=execution_timeout)
        if decoupled:
            return _responses(self.caller, call)
        replies: list[Reply] = []
        self.caller.host.call(call, lambda reply: _keep(replies, reply))
        return _response(_only(replies, call))

    def async_exec(
        self,
        decoupled: bool = False,  # noqa: FBT001, FBT002 - as in Triton
        execution_timeout: int = 0,
    ) -> Awaitable[Any]:
        """Do the same without holding up the event loop."""
        call = self._call(many=decoupled, timeout_ms=execution_timeout)
        return _later_responses(self.caller, call) if decoupled else _later(self.caller, call)

    def _call(self, *, many: bool, timeout_ms: int) -> Call:
        if not self._model_name:
            raise TritonModelException("a request that is sent needs a model_name")
        sequence = None
        if self._correlation_id:
            starts, ends = bool(self._flags & SEQUENCE_START), bool(self._flags & SEQUENCE_END)
            sequence = InSequence(self._correlation_id, starts=starts, ends=ends)
        return Call(
            self._model_name,
            {tensor.name(): sendable(tensor, f"input '{tensor.name()}'") for tensor in self._inputs},
            self._model_version if self._model_version > 0 else None,
            frozenset(self._outputs) or None,
            self._request_id,
            self._parameters,
            sequence,
            self._priority,
            self._timeout or timeout_ms * 1000,
            many,
            running.on_behalf_of(),
        )


def _keep(replies: list[Reply], reply: Reply) -> bool:
    replies.append(reply)
    return True


def _only(replies: list[Reply], call: Call) -> Reply:
    return replies[0] if replies else InferenceFailed(f"model '{call.model}' gave no response")


def _response(reply: Reply) -> InferenceResponse:
    if isinstance(reply, Answer):
        tensors = [replied(name, tensor) for name, tensor in reply.outputs.items()]
        return InferenceResponse(tensors, parameters=reply.parameters)
    return InferenceResponse(error=TritonError(str(reply), _CODES.get(reply.code, TritonErrorCode.INTERNAL)))


def _too_many() -> OVServeError:
    return Unsupported(f"{_MOST_AT_ONCE} calls are under way already, as many as a model may have at once")


class _Unread:
    """Responses of a decoupled model that have not been read yet: a few, so that the model waits for the reader."""

    def __init__(self, caller: Caller, call: Call) -> None:
        self._queue: Queue[Reply | None] = Queue(_MOST_UNREAD)
        self._left = threading.Event()
        if not caller.in_thread(lambda: self._run(caller.host, call)):
            self._queue.put(_too_many())
            self._queue.put(None)

    def _run(self, host: Host, call: Call) -> None:
        try:
            host.call(call, self._put)
        finally:
            self._put(None)

    def _put(self, reply: Reply | None) -> bool:
        while not self._left.is_set():
            with suppress(Full):
                self._queue.put(reply, timeout=_LOOK_S)
                return True
        return False

    def next(self) -> Reply | None:
        return self._queue.get()

    def leave(self) -> None:
        """Read no more, and let the one who puts go."""
        self._left.set()
        with suppress(Empty):
            while True:
                self._queue.get_nowait()


_LOOK_S = 1.0  # after which one who cannot put looks whether anybody still reads


def _responses(caller: Caller, call: Call) -> Iterator[InferenceResponse]:
    unread = _Unread(caller, call)

    def read() -> Iterator[InferenceResponse]:
        try:
            while (reply := unread.next()) is not None:
                yield _response(reply)
        finally:
            unread.leave()

    return read()


async def _later(caller: Caller, call: Call) -> InferenceResponse:
    replies: list[Reply] = []
    await _in_thread(caller, lambda: caller.host.call(call, lambda reply: _keep(replies, reply)), replies)
    return _response(_only(replies, call))


async def _later_responses(caller: Caller, call: Call) -> AsyncIterator[InferenceResponse]:
    unread = _Unread(caller, call)

    async def read() -> AsyncIterator[InferenceResponse]:
        try:
            while True:
                reply = await _read(caller, unread)
                if reply is None:
                    return
                yield _response(reply)
        finally:
            unread.leave()

    return read()


async def _read(caller: Caller, unread: _Unread) -> Reply | None:
    found: list[Reply | None] = []
    await _in_thread(caller, lambda: found.append(unread.next()), found)
    return found[0] if found else None


async def _in_thread(caller: Caller, work: Callable[[], None], replies: Any) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(tell)

    if caller.in_thread(run):
        await done
    else:
        replies.append(_too_many())
