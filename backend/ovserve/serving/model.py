"""A model version that is served: checks a request against the model, waits for a slot, runs it."""

import json
from time import perf_counter_ns

from ovserve.config.model import ModelConfig
from ovserve.engine.dynamic import AutoAxes
from ovserve.engine.openvino import LoadedModel
from ovserve.engine.pool import Queue, SlotPool
from ovserve.engine.reshaper import Reshaper
from ovserve.engine.slots import Slots
from ovserve.errors import InferenceFailed, InvalidInput, RegionChanged
from ovserve.ran import Ran
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.serving import batch
from ovserve.serving.batching import fixed_batch
from ovserve.serving.batching.batches import batches
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.encoded import EncodedInputs
from ovserve.serving.in_flight import InFlight
from ovserve.serving.labels import Labels
from ovserve.serving.statistics import Statistics
from ovserve.serving.variants import Shapes, Variants
from ovserve.signature import Signature
from ovserve.tensors import TensorSpec

PLATFORM = "OpenVINO"


class Model:
    """One loaded version of one model (a `Servable`)."""

    def __init__(
        self,
        config: ModelConfig,
        version: int,
        loaded: LoadedModel,
        turns: DecodingTurns,
        labels: Labels | None = None,
    ) -> None:
        fixed = fixed_batch.find(config, loaded.inputs)
        loaded = fixed_batch.widened(loaded, fixed)
        self.config = config
        self.metadata = Metadata(config.name, version, PLATFORM, loaded.inputs, loaded.outputs)
        self.slots = len(loaded.slots)
        self.note = loaded.note
        self.warnings = loaded.warnings
        self.labels: Labels = labels or {}
        self.in_flight = InFlight()
        self.statistics = Statistics()
        self.auto: AutoAxes = {} if loaded.reshaper is None else loaded.reshaper.auto  # what requests decide
        self._signature = Signature(
            f"model '{config.name}' version {version}", loaded.inputs, loaded.outputs, self.auto
        )
        self._encoded = EncodedInputs(self._signature.label, self.taken, config, turns, slots=self.slots)
        self._dry_run = loaded.dry_run
        self._general = loaded.slots
        self._variants = None if loaded.reshaper is None else self._make_variants(loaded.reshaper)
        # A turn is the place of a slot: every variant has one there, so no two turns ever want the same slot.
        queue = Queue(self._signature.label, config.queue_for(self.slots), config.queue_timeout or None)
        self._turns = SlotPool(range(self.slots), queue)
        self._batches = batches(
            config, fixed, inputs=self._signature.inputs, label=self._signature.label, slots=self.slots
        )

    def _make_variants(self, reshaper: Reshaper) -> Variants[Slots]:
        return Variants(
            self._general,
            reshaper,
            model=self.metadata.name,
            version=self.metadata.version,
            capacity=self.config.auto_shape_cache,
            specialise=any(-1 in self._signature.inputs[name].wire_shape for name in reshaper.auto),
            max_waiting=self.config.queue_for(self.slots),
            queue_timeout_s=self.config.queue_timeout or None,
        )

    @property
    def compiled_shapes(self) -> tuple[Shapes, ...]:
        """The shapes of the inputs in `auto` that have a variant of their own."""
        return () if self._variants is None else self._variants.compiled

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, running or waiting."""
        waiting = 0 if self._variants is None else self.config.queue_for(self.slots)
        batched = 0 if self._batches is None else self._batches.admitted_at_once
        return self._turns.admitted_at_once + waiting + self._encoded.admitted_at_once + batched

    @property
    def described(self) -> dict[str, str]:
        layouts = {spec.name: spec.layout for spec in (*self.metadata.inputs, *self.metadata.outputs) if spec.layout}
        return {"TARGET_DEVICE": self.config.target_device, **({"LAYOUT": json.dumps(layouts)} if layouts else {})}

    @property
    def streams(self) -> int:
        return self._general.streams

    @property
    def running(self) -> int:
        return self._turns.lent + (0 if self._batches is None else self._batches.running_along)

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        return self._signature.taken

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        begun_ns = perf_counter_ns()
        request, decoded_ns = self._encoded.decode(request, caller, admitted=admitted)
        self._signature.check(request)
        with self.in_flight:
            try:
                ran = self._run(request, caller, admitted=admitted).prepared_in(decoded_ns)
            except RegionChanged:
                raise  # the model has no part in it
            except (InferenceFailed, InvalidInput) as error:
                self.statistics.fail(perf_counter_ns() - begun_ns)
                raise type(error)(f"{self._signature.label}: {error}") from error
        self.statistics.succeed(perf_counter_ns() - begun_ns, ran, batch.size(self.config, request.inputs))
        return InferResponse(self.metadata.name, self.metadata.version, ran.outputs, request.id, ran)

    def _run(self, request: InferRequest, caller: Caller, *, admitted: bool) -> Ran:
        if self._dry_run is not None and self._dry_run.concerns(request.inputs):
            begun_ns = perf_counter_ns()
            return Ran(self._dry_run.run(request.inputs, request.outputs), perf_counter_ns() - begun_ns)
        # A shape that has to be compiled first would be compiled for every size of a batch.
        if self._batches is not None and self._fits(request):
            request.settle()
            return self._batches.run(request, caller, self._run_alone, admitted=admitted)
        return self._run_alone(request, caller, admitted=admitted)

    def _fits(self, request: InferRequest) -> bool:
        """Tell whether what was compiled at load runs the request."""
        return all(self._signature.inputs[name].admits(request.inputs[name].shape) for name in self.auto)

    def _run_alone(self, request: InferRequest, caller: Caller, *, admitted: bool) -> Ran:
        if self._variants is None:
            return self._run_on(self._general, request, caller, admitted=admitted)
        shapes = tuple(request.inputs[name].shape for name in self.auto)
        slots = self._variants.find(shapes, caller, general_runs_it=self._fits(request))
        try:
            return self._run_on(slots, request, caller, admitted=admitted)
        except InferenceFailed:
            if slots is self._general:
                self._variants.blame(shapes)
            raise

    def _run_on(self, slots: Slots, request: InferRequest, caller: Caller, *, admitted: bool) -> Ran:
        turn = self._turns.take(caller, admitted=admitted)
        try:
            slot = slots[turn]
            run = slot.lend if request.borrows else slot.run
            return run(request.inputs, request.outputs, request.places)
        finally:
            self._turns.give_back(turn)
