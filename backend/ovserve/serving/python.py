"""A Python model that is served."""

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter_ns

from ovserve.config.declared import Document, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.triton import DONE_BY_SERVER, read_triton
from ovserve.engine.picture_input import plan
from ovserve.engine.python_backend.instance import Answer, Asked, Instance, Later, Reply
from ovserve.errors import Cancelled, DeadlineExceeded, NoTurn, Overloaded, OVServeError, WrongDatatype
from ovserve.ran import Ran
from ovserve.requests import Caller, Hurried, InferRequest, InferResponse, Metadata
from ovserve.serving import batch
from ovserve.serving.call_graph import CallGraph
from ovserve.serving.exchange import Exchange
from ovserve.serving.executions import Executions
from ovserve.serving.in_flight import InFlight
from ovserve.serving.labels import Labels
from ovserve.serving.only_response import OnlyResponse
from ovserve.serving.servable import SendResponse, Streaming
from ovserve.serving.statistics import Statistics
from ovserve.signature import Signature
from ovserve.tensors import DType, TensorSpec

PLATFORM = "python"  # as Triton

# Requests of a decoupled model that were executed and wait for more responses; each holds a thread.
_MOST_OPEN = 64
_OF_THE_PROTOCOL = "triton_enable_empty_final_response"
_NOT_COUNTED = (Cancelled, DeadlineExceeded, NoTurn, Overloaded)


class PythonServable(Streaming):
    """One loaded version of one Python model (a `Servable`, and `Streaming`).

    `finalize` runs when nobody has a reference any more, at the latest when the process ends.
    """

    def __init__(
        self,
        config: ModelConfig,
        version: int,
        instances: Sequence[Instance],
        labels: Labels | None = None,
        graph: CallGraph | None = None,
    ) -> None:
        first = instances[0]
        self.config = _completed(config, first.document)
        self.metadata = Metadata(config.name, version, PLATFORM, first.inputs, first.outputs)
        self.slots = len(instances)
        self.streams = 1
        self.note: str | None = None
        self.warnings: tuple[str, ...] = ()
        self.described: dict[str, str] = {}
        self.labels: Labels = labels or {}
        self.in_flight = InFlight()
        self.statistics = Statistics()
        self.is_decoupled = first.is_decoupled
        self._instances = instances
        self._graph = graph or CallGraph()
        self._signature = Signature(
            f"model '{config.name}' version {version}", first.inputs, first.outputs, optional=first.optional
        )
        self._pictures = {spec.name for spec in first.inputs if plan(spec) is not None}
        self._executions = Executions(self.config, instances, self._signature.label)
        self.admitted_at_once = self._executions.admitted_at_once + (_MOST_OPEN if self.is_decoupled else 0)
        self._open = threading.BoundedSemaphore(self.admitted_at_once)
        weakref.finalize(self, _close_all, instances)

    @property
    def running(self) -> int:
        return self._executions.running

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        return self._signature.taken

    def is_ready(self) -> bool:
        """Ask every instance."""
        return all(instance.is_ready() for instance in self._instances)

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        only = OnlyResponse(self._signature.label)
        self.infer_stream(request, caller, only.take, admitted=admitted)
        return only.get()

    def infer_stream(
        self, request: InferRequest, caller: Caller, send: SendResponse, *, admitted: bool = False
    ) -> None:
        request.settle()
        self._check(request)
        waits = not request.within or not self._graph.add(request.within[-1], self.metadata.name)
        if self._executions.has_groups and isinstance(caller, Hurried):
            caller = caller.caller  # it is the queue's policy that says what the request's time-out means
        begun_ns = perf_counter_ns()
        ran = Ran({}, 0)
        failed = False

        def hand_on(reply: Reply | None, *, final: bool) -> None:
            nonlocal failed
            if isinstance(reply, Answer):
                send(self._response(request, reply, ran._replace(outputs=reply.outputs)), final=final)
            else:
                failed = failed or reply is not None
                send(reply, final=final)

        with self.in_flight, self._room():
            exchange = Exchange(self._signature.label, caller, hand_on)
            try:
                executed = self._executions.run(
                    self._asked(request, exchange), exchange.presence, admitted=admitted, waits=waits
                )
                ran = Ran({}, executed.took_ns, executed=executed.size)
                if not isinstance(executed.result, Later):
                    exchange.take(executed.result, final=True)
                exchange.wait()
            except OVServeError as error:
                if not isinstance(error, _NOT_COUNTED):
                    self.statistics.fail(perf_counter_ns() - begun_ns)
                raise
            finally:
                exchange.close()
        if failed:
            self.statistics.fail(perf_counter_ns() - begun_ns)
        else:
            self.statistics.succeed(perf_counter_ns() - begun_ns, ran, batch.size(self.config, request.inputs))

    def _check(self, request: InferRequest) -> None:
        """Raise what does not fit; as in Triton, a Python model gets what was sent, and nothing is decoded for it."""
        try:
            self._signature.check(request)
        except WrongDatatype as error:
            files = {name for name, tensor in request.inputs.items() if tensor.dtype is DType.BYTES}
            if files & self._pictures:
                raise WrongDatatype(
                    f"{error}; images are not decoded for a Python model, which gets the files where it declares "
                    f"TYPE_STRING"
                ) from error
            raise

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Bound the requests of a decoupled model that are under way; for others the queue does."""
        if not self.is_decoupled:
            yield
            return
        if not self._open.acquire(blocking=False):
            raise Overloaded(
                f"{self._signature.label}: {self.admitted_at_once} requests are being answered already; try again later"
            )
        try:
            yield
        finally:
            self._open.release()

    def _asked(self, request: InferRequest, exchange: Exchange) -> Asked:
        specs = self.metadata
        return Asked(
            {spec.name: request.inputs[spec.name] for spec in specs.inputs if spec.name in request.inputs},
            [spec.name for spec in specs.outputs if request.outputs is None or spec.name in request.outputs],
            request.id,
            {name: value for name, value in request.parameters.items() if name != _OF_THE_PROTOCOL},
            request.sequence,
            request.priority,
            request.timeout_us,
            request.within,
            exchange.presence,
            exchange.presence.is_gone,
            exchange.take_sent,
        )

    def _response(self, request: InferRequest, answer: Answer, ran: Ran) -> InferResponse:
        return InferResponse(
            self.metadata.name, self.metadata.version, answer.outputs, request.id, ran, answer.parameters
        )


def _completed(config: ModelConfig, document: Document) -> ModelConfig:
    """Have the configuration as the model completed it, where it can be read."""
    try:
        declared = read_triton(document, DONE_BY_SERVER)
    except WrongTritonConfig:
        return config
    return config.model_copy(update={"declared": replace(declared, name=config.name)})


def _close_all(instances: Sequence[Instance]) -> None:
    for instance in instances:
        instance.close()
