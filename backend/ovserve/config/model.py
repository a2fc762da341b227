"""How one model is to be served."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from ovserve.config.declared import TritonConfig
from ovserve.config.layouts import Layouts, parse_layouts
from ovserve.config.pipeline import PipelineConfig
from ovserve.config.plugin_config import PluginConfig
from ovserve.config.preprocessing import (
    Conversion,
    Numbers,
    parse_color_format,
    parse_divisors,
    parse_numbers,
    parse_precision,
)
from ovserve.config.shapes import BatchSetting, Shapes, parse_batch_size, parse_shapes
from ovserve.config.version_policy import Latest, VersionPolicy, parse_version_policy

MAX_NIREQ = 100_000  # as OVMS (spec A.2)
MAX_AUTO_SHAPES = 10_000
MAX_IMAGE_PIXELS = 64_000_000
WAITING_PER_SLOT = 16
Isolation = Literal["in_process", "process"]
STUCK_S = 10.0
MAX_SEQUENCES = 500  # as OVMS (spec J.4)
MOST_SEQUENCES = 2**32 - 1


def _from_text(parse: Callable[[str], Any]) -> PlainValidator:
    """Take a text, and what came of one."""
    return PlainValidator(lambda value: parse(value) if isinstance(value, str) else value)


class ModelConfig(BaseModel):
    """One model's settings, as OVMS's (spec A.2).

    Ours are max_queue, queue_timeout, auto_shape_cache, strict_shape and max_image_pixels. Shapes are those
    of the tensors that clients see, under the names that clients use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str = Field(min_length=1)
    base_path: Path
    model_version_policy: Annotated[VersionPolicy, _from_text(parse_version_policy)] = Latest()
    target_device: str = "CPU"
    plugin_config: PluginConfig = Field(default_factory=dict)
    nireq: int = Field(default=0, ge=0, le=MAX_NIREQ, description="0: as many as the device finds optimal")
    max_queue: int | None = Field(default=None, ge=0, description="None: 16 x nireq")
    queue_timeout: float = Field(
        default=0, ge=0, allow_inf_nan=False, description="seconds; 0: until the request's own deadline"
    )
    shape: Annotated[Shapes | None, _from_text(parse_shapes)] = None
    auto_shape_cache: int = Field(
        default=8, ge=1, le=MAX_AUTO_SHAPES, description="shapes compiled for `auto` that are kept"
    )
    batch_size: Annotated[BatchSetting | None, _from_text(parse_batch_size)] = None
    strict_shape: bool = Field(default=False, description="refuse a model that cannot take the shape asked for")
    max_image_pixels: int = Field(default=MAX_IMAGE_PIXELS, ge=1, description="of an image sent as JPEG or PNG")
    layout: Annotated[Layouts | None, _from_text(parse_layouts)] = None
    mean: Annotated[Numbers | None, _from_text(parse_numbers)] = None
    scale: Annotated[Numbers | None, _from_text(parse_divisors)] = None
    color_format: Annotated[Conversion | None, _from_text(parse_color_format)] = None
    precision: Annotated[Conversion | None, _from_text(parse_precision)] = None
    stateful: bool = Field(default=False, description="keep the variables' values for each sequence of requests")
    idle_sequence_cleanup: bool = Field(default=True, description="drop sequences that are idle")
    max_sequence_number: int = Field(default=MAX_SEQUENCES, ge=1, le=MOST_SEQUENCES)
    low_latency_transformation: bool = Field(default=False, description="loops take one step per request")
    python_model_isolation: Isolation = Field(default="in_process", description="where a Python model's instances run")
    python_model_stuck_seconds: float = Field(
        default=STUCK_S, ge=0, allow_inf_nan=False, description="that a worker may run for nobody; 0: for ever"
    )
    declared: TritonConfig | None = Field(default=None, description="what a config.pbtxt says besides")
    pipeline: PipelineConfig | None = Field(default=None, description="the pipeline that it is instead of a model")

    @property
    def keeps_sequences(self) -> bool:
        """Tell whether requests come in sequences, for each of which variables are kept."""
        return self.stateful or (self.declared is not None and self.declared.sequences is not None)

    @model_validator(mode="after")
    def _preprocessing_has_a_layout(self) -> "ModelConfig":
        for name in ("mean", "scale", "color_format", "precision"):
            if getattr(self, name) is not None and self.layout is None:
                raise ValueError(f"{name} requires layout to be set")
        return self

    def queue_for(self, slots: int) -> int:
        """How many requests may wait for `slots` slots."""
        return WAITING_PER_SLOT * slots if self.max_queue is None else self.max_queue
