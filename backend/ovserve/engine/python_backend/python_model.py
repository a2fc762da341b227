"""A Python model in this process, with the interface of Triton's Python backend (spec K.5)."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ovserve.config.declared import Document
from ovserve.engine.python_backend import pb_utils, running
from ovserve.engine.python_backend.declared_specs import declared_specs
from ovserve.engine.python_backend.foreign_code import Raised, call, said
from ovserve.engine.python_backend.instance import Asked, Later, Result
from ovserve.engine.python_backend.loop_thread import LoopThread
from ovserve.engine.python_backend.pb_errors import NotSupported
from ovserve.engine.python_backend.private_imports import PrivateImports
from ovserve.engine.python_backend.python_answer import Reader
from ovserve.engine.python_backend.readiness import Readiness
from ovserve.engine.python_backend.received_request import ReceivedRequest
from ovserve.engine.python_backend.response_sender import InferenceResponseSender
from ovserve.errors import InferenceFailed, OVServeError, Unsupported
from ovserve.observability.logs import get_logger
from ovserve.tensors import TensorSpec

logger = get_logger("ovserve.python")


class PythonModel:
    """One instance of a loaded model (an `Instance`).

    What it answers is copied, since it may write into its arrays again, unless whoever asks sends the answers on
    before it goes on: then without `copies`.
    """

    def __init__(
        self,
        instance: Any,
        document: Document,
        imports: PrivateImports,
        name: str,
        version: int,
        *,
        copies: bool = True,
    ) -> None:
        self.inputs: tuple[TensorSpec, ...] = declared_specs(document, "input")
        self.outputs: tuple[TensorSpec, ...] = declared_specs(document, "output")
        self.optional = frozenset(tensor["name"] for tensor in document["input"] if tensor.get("optional"))
        self.document = document
        self.is_decoupled = pb_utils.using_decoupled_model_transaction_policy(document)
        self._instance = instance
        self._imports: PrivateImports | None = imports
        self._name = name
        self._version = version
        self._label = f"model '{name}' version {version}"
        self._reader = Reader(self.outputs, self._label, may_omit=self.is_decoupled, copies=copies)
        self._readiness = Readiness(getattr(instance, "is_ready", None), name)
        self._loop: LoopThread | None = None

    def execute(self, requests: Sequence[Asked]) -> list[Result]:
        given = [
            ReceivedRequest(asked, self._reader, self._name, self._version, is_decoupled=self.is_decoupled)
            for asked in requests
        ]
        try:
            answered = self._answered(list(given), requests)
        except OVServeError as error:
            results: list[Result] = [error] * len(given)
        else:
            replies = self._reader.read_all(answered, requests)
            results = [
                self._left_open(request, answered) if reply is None else self._settled(reply)
                for request, reply in zip(given, replies, strict=True)
            ]
        for request, result in zip(given, results, strict=True):
            if result is not Later.BY_SENDER:
                request.sender.retire()
        return results

    def is_ready(self) -> bool:
        return self._readiness.is_ready()

    def when_up(self, callback: Callable[[], None]) -> None:
        callback()

    def close(self) -> None:
        imports, self._imports = self._imports, None
        if imports is None:
            return
        finalize = getattr(self._instance, "finalize", None)
        if finalize is not None:
            try:
                call(finalize)
            except Raised as error:
                logger.warning("finalize failed", model=self._name, cause=str(error), exc_info=error.__cause__)
        if self._loop is not None:
            self._loop.close()
        imports.close()

    def _settled(self, reply: Any) -> Result:
        """Find what a request for which something was returned ends with."""
        if self.is_decoupled and not isinstance(reply, OVServeError):
            return InferenceFailed(
                f"{self._label}: execute of a decoupled model must return None and answer with response senders"
            )
        result: Result = reply
        return result

    def _left_open(self, request: ReceivedRequest, answered: Any) -> Result:
        """Find what becomes of a request for which None was returned."""
        if request.is_to_come_again:
            return Later.AGAIN
        if self.is_decoupled or request.sender.is_taken:
            return Later.BY_SENDER
        if answered is None:
            return InferenceFailed(f"{self._label}: execute must return a list of responses, got NoneType")
        return InferenceFailed(f"{self._label}: execute returned None for the request, expected an InferenceResponse")

    def _answered(self, given: list[ReceivedRequest], requests: Sequence[Asked]) -> Any:
        token = running.REQUESTS.set(tuple(requests))
        try:
            answered = call(self._instance.execute, given)
            return call(self._awaited, answered, given, requests) if inspect.isawaitable(answered) else answered
        except Raised as error:
            logger.error("execute failed", model=self._name, cause=str(error), exc_info=error.__cause__)
            failure = Unsupported if isinstance(error.__cause__, NotSupported) else InferenceFailed
            raise failure(f"{self._label}: execute failed: {error}") from error
        finally:
            running.REQUESTS.reset(token)

    def _awaited(self, awaitable: Any, given: list[ReceivedRequest], requests: Sequence[Asked]) -> Any:
        """Wait for what `async def execute` returns; that of a decoupled model goes on by itself (Triton)."""
        if self._loop is None:
            self._loop = LoopThread(f"{self._name}-loop")
        coroutine = _as_part_of(requests, awaitable)
        if not self.is_decoupled:
            return self._loop.result_of(coroutine)
        senders = [request.sender for request in given]
        self._loop.start(coroutine, lambda error: self._fail(senders, error))
        return None

    def _fail(self, senders: list[InferenceResponseSender], error: BaseException) -> None:
        logger.error("execute failed", model=self._name, cause=said(error), exc_info=error)
        for sender in senders:
            sender.fail(InferenceFailed(f"{self._label}: execute failed: {said(error)}"))


async def _as_part_of(requests: Sequence[Asked], awaitable: Any) -> Any:
    running.REQUESTS.set(tuple(requests))  # in the loop's thread, for this task alone
    return await awaitable
