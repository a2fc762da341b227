"""A model version that is served: checks a request against the model, waits for a slot, runs it."""

from collections.abc import Iterable, Mapping

from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import LoadedModel
from ovserve.engine.pool import SlotPool
from ovserve.engine.slot import Slot
from ovserve.errors import InferenceFailed, InvalidInput, WrongTensors
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata
from ovserve.tensors import Tensor

PLATFORM = "OpenVINO"


class Model:
    """One loaded version of one model (a `Servable`)."""

    def __init__(self, config: ModelConfig, version: int, loaded: LoadedModel) -> None:
        self.config = config
        self.metadata = Metadata(config.name, version, PLATFORM, loaded.inputs, loaded.outputs)
        self.slots = len(loaded.slots)
        self.note = loaded.note
        self.warnings = loaded.warnings
        self.auto = loaded.auto
        self._label = f"model '{config.name}' version {version}"
        self._dry_run = loaded.dry_run
        self._inputs = {spec.name: spec for spec in loaded.inputs}
        self._outputs = frozenset(spec.name for spec in loaded.outputs)
        self._pool: SlotPool[Slot] = SlotPool(
            loaded.slots,
            owner=self._label,
            max_queue=config.queue_for(len(loaded.slots)),
            queue_timeout_s=config.queue_timeout or None,
        )

    @property
    def admitted_at_once(self) -> int:
        """How many requests may be inside at the same time, running or waiting."""
        return self._pool.admitted_at_once

    def infer(self, request: InferRequest, caller: Caller) -> InferResponse:
        self._check(request)
        try:
            outputs = self._run(request, caller)
        except (InferenceFailed, InvalidInput) as error:
            raise type(error)(f"{self._label}: {error}") from error
        return InferResponse(self.metadata.name, self.metadata.version, outputs, request.id)

    def _run(self, request: InferRequest, caller: Caller) -> Mapping[str, Tensor]:
        if self._dry_run is not None and self._dry_run.concerns(request.inputs):
            return self._dry_run.run(request.inputs, request.outputs)
        with self._pool.slot(caller) as slot:
            return slot.run(request.inputs, request.outputs)

    def _check(self, request: InferRequest) -> None:
        if request.inputs.keys() != self._inputs.keys():
            raise WrongTensors(_wrong_inputs(self._label, list(self._inputs), list(request.inputs)))
        for name, spec in self._inputs.items():
            spec.match(request.inputs[name], self._label)
        unknown = (request.outputs or frozenset()) - self._outputs
        if unknown:
            raise WrongTensors(f"{self._label} has no output '{min(unknown)}'; it has {_listed(self._outputs)}")


def _wrong_inputs(label: str, expected: list[str], got: list[str]) -> str:
    missing = [name for name in expected if name not in got]
    unexpected = [name for name in got if name not in expected]
    found = [f"missing {_listed(missing)}"] if missing else []
    found += [f"unexpected {_listed(unexpected)}"] if unexpected else []
    return f"{label} expects {len(expected)} inputs {_listed(expected)}, got {len(got)}: {', '.join(found)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
