"""A Python model that is served."""

import weakref
from time import perf_counter_ns

from ovserve.config.model import ModelConfig
from ovserve.engine.picture_input import plan
from ovserve.engine.pool import Queue, SlotPool
from ovserve.engine.python_backend.python_model import PythonModel
from ovserve.errors import WrongDatatype
from ovserve.ran import Ran
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.serving import batch
from ovserve.serving.in_flight import InFlight
from ovserve.serving.labels import Labels
from ovserve.serving.statistics import Statistics
from ovserve.signature import Signature
from ovserve.tensors import DType, TensorSpec

PLATFORM = "python"  # as Triton


class PythonServable:
    """One loaded version of one Python model (a `Servable`): one request at a time.

    Its `finalize` runs when nobody has a reference any more, at the latest when the process ends.
    """

    def __init__(self, config: ModelConfig, version: int, loaded: PythonModel, labels: Labels | None = None) -> None:
        self.config = config
        self.metadata = Metadata(config.name, version, PLATFORM, loaded.inputs, loaded.outputs)
        self.slots = 1
        self.streams = 1
        self.note: str | None = None
        self.warnings: tuple[str, ...] = ()
        self.described: dict[str, str] = {}
        self.labels: Labels = labels or {}
        self.in_flight = InFlight()
        self.statistics = Statistics()
        self._loaded = loaded
        label = f"model '{config.name}' version {version}"
        self._signature = Signature(label, loaded.inputs, loaded.outputs, optional=loaded.optional)
        self._pictures = {spec.name for spec in loaded.inputs if plan(spec) is not None}
        self._turns = SlotPool((loaded,), Queue(label, config.queue_for(self.slots), config.queue_timeout or None))
        weakref.finalize(self, loaded.close)

    @property
    def running(self) -> int:
        return self._turns.lent

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        return self._signature.taken

    @property
    def admitted_at_once(self) -> int:
        return self._turns.admitted_at_once

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        self._check(request)
        begun_ns = perf_counter_ns()
        with self.in_flight, self._turns.slot(caller, admitted=admitted) as model:
            served_ns = perf_counter_ns()
            try:
                outputs = model.run(request.inputs, request.outputs, request.id)
            except Exception:
                self.statistics.fail(perf_counter_ns() - begun_ns)
                raise
            ended_ns = perf_counter_ns()
        ran = Ran(outputs, ended_ns - served_ns)
        self.statistics.succeed(ended_ns - begun_ns, ran, batch.size(self.config, request.inputs))
        return InferResponse(self.metadata.name, self.metadata.version, outputs, request.id, ran)

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
