"""A pipeline that is served."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import BoundedSemaphore
from time import perf_counter_ns

from ovserve.config.model import ModelConfig
from ovserve.errors import Cancelled, DeadlineExceeded, Overloaded, OVServeError, ShapeRefused
from ovserve.pipelines.description import describe
from ovserve.pipelines.plan import Plan
from ovserve.pipelines.run import Run
from ovserve.ran import Ran
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.serving import batch
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.encoded import EncodedInputs
from ovserve.serving.in_flight import InFlight
from ovserve.serving.labels import Labels, read_labels
from ovserve.serving.servable import Servable
from ovserve.serving.statistics import Statistics
from ovserve.signature import Signature
from ovserve.tensors import TensorSpec

VERSION = 1  # pipelines have no others

_PLATFORM = "OpenVINO"
_PLATFORM_OF_AN_ENSEMBLE = "ensemble"  # as Triton

_REFUSALS = (Cancelled, DeadlineExceeded, Overloaded, ShapeRefused)  # which statistics do not count


class Pipeline:
    """A plan and the very models it was made for (a `Servable`): a reload of one makes a new pipeline.

    As many requests as its members run at the same time are worked on side by side by one run; the queues in front of
    the members are shared, first come first served, with those who ask the members themselves.
    """

    def __init__(self, config: ModelConfig, plan: Plan, members: Mapping[str, Servable], turns: DecodingTurns) -> None:
        self.config = config
        platform = _PLATFORM if config.declared is None else _PLATFORM_OF_AN_ENSEMBLE
        self.metadata = Metadata(plan.name, VERSION, platform, plan.inputs, plan.outputs)
        self.streams = 1
        self.slots = max((member.slots for member in members.values()), default=1)
        self.admitted_at_once = max((member.admitted_at_once for member in members.values()), default=1)
        self.note: str | None = None
        self.warnings: tuple[str, ...] = ()
        self.labels = _labels(config, plan, members)
        self.in_flight = InFlight()
        self.statistics = Statistics()
        self.plan = plan
        self.members = members
        self._signature = Signature(f"pipeline '{plan.name}'", plan.inputs, plan.outputs)
        self._encoded = EncodedInputs(
            self._signature.label,
            plan.inputs,
            config,
            turns,
            slots=self.slots,
            demultiplexed=plan.demultiplies is not None,
        )
        self._admitted = BoundedSemaphore(self.admitted_at_once)
        self._executor = ThreadPoolExecutor(max(1, self.slots - 1), thread_name_prefix="pipeline")

    @property
    def running(self) -> int:
        return self.in_flight.count

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        return self._signature.taken

    @property
    def described(self) -> dict[str, str]:
        return {"pipeline": json.dumps(describe(self.plan, self.members))}

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        if not self._admitted.acquire(blocking=admitted):
            raise Overloaded(
                f"{self._signature.label}: {self.admitted_at_once} requests are being answered already; try again later"
            )
        begun_ns = perf_counter_ns()
        try:
            request.settle()
            request, decoded_ns = self._encoded.decode(request, caller, admitted=True)
            self._signature.check(request)
            with ExitStack() as leases:
                for servable in (self, *self.members.values()):
                    leases.enter_context(servable.in_flight)
                ran = self._run(request, caller, begun_ns).prepared_in(decoded_ns)
            self.statistics.succeed(perf_counter_ns() - begun_ns, ran, batch.size(self.config, request.inputs))
            return InferResponse(self.metadata.name, self.metadata.version, ran.outputs, request.id, ran)
        finally:
            self._admitted.release()

    def _run(self, request: InferRequest, caller: Caller, begun_ns: int) -> Ran:
        started_ns = perf_counter_ns()
        run = Run(
            self.plan,
            self.members,
            caller,
            request=request,
            executor=self._executor,
            width=self.slots,
            within=(*request.within, self.metadata.name),
        )
        try:
            outputs = run.answer(request.inputs, request.outputs)
        except OVServeError as error:
            if not isinstance(error, _REFUSALS):
                self.statistics.fail(perf_counter_ns() - begun_ns)
            raise type(error)(f"{self._signature.label}: {error}") from error
        return Ran(outputs, perf_counter_ns() - started_ns, nodes=run.node_runs)


def _labels(config: ModelConfig, plan: Plan, members: Mapping[str, Servable]) -> Labels:
    """Find the names of classes: its own or, of what it has none for, those of the model that gives the output."""
    given = {step.node: step.outputs for step in plan.steps}
    found = {}
    for name, result in plan.results.items():
        source = result.source
        if source.node in given:
            found[name] = members[source.node].labels.get(given[source.node][source.item], ())
    return {**{name: labels for name, labels in found.items() if labels}, **read_labels(config)}
