"""A model version whose variables are kept for each sequence of requests."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ovserve.config.declared import Control
from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import LoadedModel
from ovserve.engine.state import State
from ovserve.errors import NotInSequence
from ovserve.ran import Ran
from ovserve.requests import Caller, InferRequest, InferResponse, InSequence
from ovserve.serving import batch, control_inputs, sequence_inputs
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.labels import Labels
from ovserve.serving.model import Model
from ovserve.serving.sequences import Form, Rules, Sequences
from ovserve.tensors import TensorSpec


class SequencedModel(Model):
    """A `Servable` as `Model`, in OVMS's form or in Triton's.

    Any slot runs any sequence: its variables are written before and read after (ADR 0023). `older` are versions that it
    took the place of: what began there ends there.
    """

    def __init__(
        self,
        config: ModelConfig,
        version: int,
        loaded: LoadedModel,
        turns: DecodingTurns,
        labels: Labels | None = None,
        *,
        idle_s: float | None = None,
        older: Iterable["SequencedModel"] = (),
    ) -> None:
        declared = None if config.declared is None else config.declared.sequences
        self._form = Form.OVMS if declared is None else Form.TRITON
        self._controls: Mapping[Control, TensorSpec] = control_inputs.find(
            () if declared is None else declared.controls, loaded.inputs
        )
        fed = {control.input for control in self._controls}
        visible = tuple(spec for spec in loaded.inputs if spec.name not in fed)
        super().__init__(config, version, replace(loaded, inputs=visible), turns, labels)
        rules = Rules(self._form, config.max_sequence_number, idle_s, self._turns.admitted_at_once)
        self.sequences = Sequences[State](config.name, version, rules)
        self._older = tuple(older)

    @property
    def taken(self) -> tuple[TensorSpec, ...]:
        return (*super().taken, *sequence_inputs.INPUTS) if self._form is Form.OVMS else super().taken

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        request.settle()
        if self._form is Form.OVMS:
            request = sequence_inputs.read(request, self._signature.label)
        at = request.sequence
        if at is None:
            raise NotInSequence(
                f"inference request to model '{self.metadata.name}' must specify a non-zero or non-empty correlation ID"
            )
        home = self._home(at, request.version)
        return super(SequencedModel, home).infer(request, caller, admitted=admitted)

    def forget_ended(self) -> None:
        """Let go of older versions all of whose sequences have ended."""
        if self._older:
            self._older = tuple(one for one in self._older if one.sequences.active)

    def _home(self, at: InSequence, version: int | None) -> "SequencedModel":
        """Find where a sequence began: here, unless an older version has it still."""
        older = self._older
        if not older or (at.starts and self._form is Form.TRITON) or self.sequences.knows(at.id):
            return self
        self.forget_ended()
        fitting = (one for one in older if version in (None, one.metadata.version) and one.sequences.knows(at.id))
        return next(fitting, self)

    def _run(self, request: InferRequest, caller: Caller, *, admitted: bool) -> Ran:
        at = request.sequence
        assert at is not None  # noqa: S101 - infer saw to it
        rows = batch.size(self.config, request.inputs)
        inputs = {**request.inputs, **control_inputs.tensors(self._controls, at, rows)}
        with self.sequences.turn(at, caller, admitted=admitted) as turn:
            with self._turns.slot(caller, admitted=True) as place:
                ran, left = self._general[place].run_on(turn.kept, inputs, request.outputs)
            turn.kept = left
        if self._form is Form.OVMS:
            return ran._replace(outputs={**ran.outputs, sequence_inputs.ID: sequence_inputs.output(turn.id)})
        return ran
