"""Makes models of which requests come in sequences, and looks after their sequences."""

import threading
import weakref
from types import TracebackType
from typing import Self

from ovserve.config.declared import WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.engine.openvino import LoadedModel
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.labels import read_labels
from ovserve.serving.model import Model
from ovserve.serving.sequenced import SequencedModel
from ovserve.tensors import DType


class CannotKeepState(ValueError):
    """The model, or its configuration, does not go with sequences."""


class Sequencing:
    """`idle_s` is how long sequences of OVMS's kind may be idle, and how often is looked for those (0: never)."""

    def __init__(self, idle_s: float = 0) -> None:
        self._idle_s = idle_s
        self._models: dict[str, weakref.WeakSet[SequencedModel]] = {}
        self._lock = threading.Lock()

    def make(self, config: ModelConfig, version: int, loaded: LoadedModel, turns: DecodingTurns) -> Model:
        """Make the model that the configuration asks for; raises `CannotKeepState`."""
        labels = read_labels(config)
        declared = None if config.declared is None else config.declared.sequences
        if declared is None and not config.stateful:
            return Model(config, version, loaded, turns, labels)
        _check(loaded, needs_state=declared is None)
        if declared is not None:
            idle_s: float | None = declared.idle_s
        else:
            idle_s = self._idle_s if config.idle_sequence_cleanup and self._idle_s else None
        with self._lock:
            family = self._models.setdefault(config.name, weakref.WeakSet())
            older = [one for one in family if one.sequences.active]
            try:
                model = SequencedModel(config, version, loaded, turns, labels, idle_s=idle_s, older=older)
            except WrongTritonConfig as error:
                raise CannotKeepState(f"config.pbtxt: {error}") from error
            family.add(model)
        return model

    def clean(self) -> None:
        """Look for what is idle for too long, and give its memory back."""
        with self._lock:
            models = [model for family in self._models.values() for model in family]
            self._models = {name: family for name, family in self._models.items() if family}
        for model in models:
            model.sequences.drop_idle()
            model.forget_ended()

    def cleaning(self) -> "_Cleaning":
        """Have a thread look, for the time of a `with` block."""
        return _Cleaning(self, self._idle_s)


def _check(loaded: LoadedModel, *, needs_state: bool) -> None:
    if needs_state and not loaded.variables:
        raise CannotKeepState("it is to be stateful, but has no variables (ReadValue and Assign) to keep")
    if loaded.reshaper is not None:
        raise CannotKeepState("a model that keeps state is served in one shape: expected no 'auto'")
    if any(spec.dtype is DType.BYTES for spec in loaded.inputs):
        raise CannotKeepState("a model that keeps state takes no strings")


class _Cleaning:
    def __init__(self, sequencing: Sequencing, period_s: float) -> None:
        self._sequencing = sequencing
        self._period_s = period_s
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        if self._period_s:
            threading.Thread(target=self._run, name="sequence-cleaner", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(min(self._period_s, threading.TIMEOUT_MAX)):
            self._sequencing.clean()
