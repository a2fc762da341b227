"""What flags can say of how a model is served; the same for every model of a repository, or for one of config.json."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ovserve.config.layouts import parse_layouts
from ovserve.config.model import (
    MAX_AUTO_SHAPES,
    MAX_IMAGE_PIXELS,
    MAX_NIREQ,
    MAX_SEQUENCES,
    MOST_SEQUENCES,
    STUCK_S,
    Isolation,
)
from ovserve.config.plugin_config import PluginConfig, translate
from ovserve.config.preprocessing import parse_color_format, parse_divisors, parse_numbers, parse_precision
from ovserve.config.shapes import parse_batch_size, parse_shapes
from ovserve.config.version_policy import parse_version_policy


def _json_object(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise ValueError('it must be a JSON object, for instance {"NUM_STREAMS": "1"}')  # noqa: TRY004 - for pydantic
    return parsed


def _translatable(properties: PluginConfig) -> PluginConfig:
    """Have the properties checked, and kept."""
    translate(properties)
    return properties


def _as_text(value: Any) -> Any:
    """Take what a Python caller would rather write than text: a number, or a mapping of tensor names."""
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _grammar(parse: Callable[[str], Any]) -> AfterValidator:
    """Have a text checked by its grammar, and kept."""

    def check(text: str | None) -> str | None:
        if text is not None:
            parse(text)
        return text

    return AfterValidator(check)


class ModelFlags(BaseModel):
    """A model's settings as texts, checked and kept as they came; the names are those of `ModelConfig`."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    plugin_config: Annotated[PluginConfig, BeforeValidator(_json_object), AfterValidator(_translatable)] = Field(
        default_factory=dict, description='OpenVINO properties as JSON, for instance {"NUM_STREAMS": "1"}.'
    )
    model_version_policy: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_version_policy)] = Field(
        default=None,
        description='Versions to serve: {"latest": {"num_versions": 2}}, {"all": {}}, {"specific": {"versions": [1]}}; '
        "default the latest one.",
    )
    target_device: str = Field(
        default="CPU", description="OpenVINO device: CPU, GPU, NPU, AUTO, ...; empty: a GPU if there is one."
    )
    nireq: int = Field(
        default=0, ge=0, le=MAX_NIREQ, description="Requests a model runs at once; 0: what the device finds optimal."
    )
    max_queue: int | None = Field(
        default=None, ge=0, description="Requests that may wait per model, one more is refused; default 16 x nireq."
    )
    queue_timeout: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a request may wait for its turn; 0: until its own deadline.",
    )
    shape: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_shapes)] = Field(
        default=None,
        description="Shape to serve: (1,3,224,224), -1 for any, 200:500 for a range, auto; or {input:shape,...}.",
    )
    batch_size: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_batch_size)] = Field(
        default=None,
        description="Batch size to serve: a number, a range such as 1:8, -1 for any, or auto; shape beats it.",
    )
    auto_shape_cache: int = Field(
        default=8, ge=1, le=MAX_AUTO_SHAPES, description="Shapes compiled for auto that a model keeps."
    )
    strict_shape: bool = Field(
        default=False, description="Refuse a model that cannot take the shape asked for, instead of serving its own."
    )
    max_image_pixels: int = Field(
        default=MAX_IMAGE_PIXELS, ge=1, description="Pixels that an image sent as JPEG or PNG may have."
    )
    layout: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_layouts)] = Field(
        default=None,
        description="What clients send: NHWC or NCHW, or CLIENT:MODEL such as NHWC:NCHW; or {name:layout,...}.",
    )
    mean: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_numbers)] = Field(
        default=None, description="Subtracted from the input: a number, or one per channel as [1,2,3]; needs --layout."
    )
    scale: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_divisors)] = Field(
        default=None,
        description="Divides the input after mean: a number, or one per channel as [1,2,3]; needs --layout.",
    )
    color_format: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_color_format)] = Field(
        default=None, description="MODEL:CLIENT, of RGB BGR GRAY NV12 I420; needs --layout."
    )
    precision: Annotated[str | None, BeforeValidator(_as_text), _grammar(parse_precision)] = Field(
        default=None, description="CLIENT:MODEL, of FP64 FP32 FP16 BF16 INT64 ... UINT8; needs --layout."
    )
    stateful: bool = Field(
        default=False, description="Keep what the model's variables hold for each sequence of requests."
    )
    idle_sequence_cleanup: bool = Field(
        default=True, description="Drop the sequences idle for --sequence_cleaner_poll_wait_minutes."
    )
    max_sequence_number: int = Field(
        default=MAX_SEQUENCES, ge=1, le=MOST_SEQUENCES, description="Sequences that a stateful model keeps at once."
    )
    low_latency_transformation: bool = Field(
        default=False, description="Have a model with loops take one step per request, and keep what they carry."
    )
    python_model_isolation: Isolation = Field(
        default="in_process", description="Where Python models run: with the server, or each instance in a process."
    )
    python_model_stuck_seconds: float = Field(
        default=STUCK_S,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a Python model's process may go on for nobody, before it is ended; 0: for ever.",
    )

    @model_validator(mode="after")
    def _preprocessing_has_a_layout(self) -> "ModelFlags":
        for name in ("mean", "scale", "color_format", "precision"):
            if getattr(self, name) is not None and self.layout is None:
                raise ValueError(f"--{name} requires --layout to be set")
        return self
