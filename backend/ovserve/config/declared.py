"""What a Triton model configuration declares of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ovserve.config.dynamic_batching import DynamicBatching
from ovserve.config.pipeline import PipelineConfig
from ovserve.tensors import DType, Shape

Document: TypeAlias = Mapping[str, Any]


class WrongTritonConfig(ValueError):
    """The configuration contradicts itself, the model, or what can be done here."""


class MalformedTritonConfig(WrongTritonConfig):
    """The text is no such configuration at all."""


@dataclass(frozen=True, slots=True)
class DeclaredTensor:
    """A tensor as the configuration has it, `dims` without the batch; None and () where it says nothing.

    `reshape` is what the model gets in place of `dims`; `label_file` has the names of classes, in the model's folder;
    requests with a tensor that `is_ragged` run together whatever its shape is.
    """

    name: str
    dtype: DType | None
    dims: tuple[int, ...]
    reshape: tuple[int, ...] | None = None
    label_file: str = ""
    is_ragged: bool = False

    @property
    def is_complete(self) -> bool:
        return self.dtype is not None and bool(self.dims)

    @property
    def model_dims(self) -> tuple[int, ...]:
        return self.dims if self.reshape is None else self.reshape


@dataclass(frozen=True, slots=True)
class SampleInput:
    """One input of a warm-up request: random values, or those of a file in the model's folder `warmup`, or zeros."""

    dtype: DType
    shape: Shape
    is_random: bool = False
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A warm-up request, and how often it runs."""

    name: str
    inputs: Mapping[str, SampleInput]
    count: int = 1


@dataclass(frozen=True, slots=True)
class Control:
    """An input of the model that tells it where in a sequence it is: the values for no and yes; the id has none."""

    input: str
    kind: Literal["START", "READY", "END", "CORRID"]
    values: tuple[float, float] = (0, 1)


@dataclass(frozen=True, slots=True)
class SequenceBatching:
    """That requests come in sequences, and for how long one may be idle."""

    idle_s: float
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class TritonConfig:
    """What a Triton model configuration says that matters to us.

    `settings` are fields of `ModelConfig`, by name; `file_name` is the model's, empty where it is to be found;
    `pads_batch` says that a model with a fixed batch gets it whole; `pipeline` is what an ensemble runs; `document` is
    the whole as it was read, and `is_completed` that no model has to complete it.
    """

    name: str
    max_batch_size: int = 0
    inputs: tuple[DeclaredTensor, ...] = ()
    outputs: tuple[DeclaredTensor, ...] = ()
    instances: int = 1
    file_name: str = ""
    has_scheduler: bool = False
    dynamic_batching: DynamicBatching | None = None
    pads_batch: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    warm_up: tuple[Sample, ...] = ()
    pipeline: PipelineConfig | None = None
    sequences: SequenceBatching | None = None
    warnings: tuple[str, ...] = ()
    document: Document = field(default_factory=dict)
    is_completed: bool = False
