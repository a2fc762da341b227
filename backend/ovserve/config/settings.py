"""The server's settings: what the command line, the environment and `ovserve.load` take, under the same names."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ovserve.config.layouts import parse_layouts
from ovserve.config.model import MAX_AUTO_SHAPES, MAX_NIREQ, PluginConfig
from ovserve.config.preprocessing import parse_color_format, parse_divisors, parse_numbers, parse_precision
from ovserve.config.shapes import parse_batch_size, parse_shapes

GIB = 1 << 30

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LOOKS_LIKE_AN_IP = re.compile(r"[0-9A-Fa-f.:]+")


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


def _addresses(value: str) -> str:
    for address in value.split(","):
        host = address.strip()
        if _LOOKS_LIKE_AN_IP.fullmatch(host):
            ipaddress.ip_address(host)  # its ValueError says what is wrong
        elif len(host) > 255 or not _HOST.fullmatch(host):  # noqa: PLR2004 - RFC 1035
            raise ValueError(f"'{host}' is neither a host name nor an IP address")
    return value


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


class Settings(BaseModel):
    """Everything that can be set, with OVMS's or Triton's name where they have one."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_repository: Path | None = Field(
        default=None, description="Folder of models, each NAME/VERSION/model.xml (or .onnx, .pdmodel, .pb, .tflite)."
    )
    model_name: str | None = Field(default=None, min_length=1, description="Name of the one model to serve.")
    model_path: Path | None = Field(
        default=None, description="The one model: its folder with or without version folders, or its file."
    )
    port: Annotated[int, Field(ge=0, le=65535)] | Literal["auto"] = Field(
        default=9000, description="gRPC port; auto picks a free one and prints it, 0 turns gRPC off."
    )
    grpc_bind_address: Annotated[str, AfterValidator(_addresses)] = Field(
        default="127.0.0.1", description="Addresses to listen on, separated by commas; 0.0.0.0 opens to everybody."
    )
    plugin_config: Annotated[PluginConfig, BeforeValidator(_json_object)] = Field(
        default_factory=dict, description='OpenVINO properties as JSON, for instance {"NUM_STREAMS": "1"}.'
    )
    target_device: str = Field(default="CPU", min_length=1, description="OpenVINO device: CPU, GPU, NPU, AUTO, ...")
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
    cache_dir: Path | None = Field(default=None, description="Folder that keeps compiled models between starts.")
    grpc_max_message_bytes: int = Field(
        default=GIB, ge=1024, le=2 * GIB - 1, description="Largest gRPC message, in and out."
    )
    exit_timeout_secs: float = Field(
        default=30,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that requests in flight may take when the server stops.",
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least important lines to log."
    )
    log_format: Literal["console", "json"] = Field(default="console", description="How log lines look.")

    @model_validator(mode="after")
    def _one_source_of_models(self) -> "Settings":
        one_model = self.model_name is not None and self.model_path is not None
        half = (self.model_name is None) != (self.model_path is None)
        if half or (one_model == (self.model_repository is not None)):
            raise ValueError("use either --model_repository, or --model_name with --model_path")
        return self

    @model_validator(mode="after")
    def _some_door(self) -> "Settings":
        if self.port == 0:
            raise ValueError("--port 0 turns gRPC off, and there is no other way in: give a port, or auto")
        return self

    @model_validator(mode="after")
    def _preprocessing_has_a_layout(self) -> "Settings":
        for name in ("mean", "scale", "color_format", "precision"):
            if getattr(self, name) is not None and self.layout is None:
                raise ValueError(f"--{name} requires --layout to be set")
        return self

    @property
    def grpc_addresses(self) -> tuple[str, ...]:
        return tuple(address.strip() for address in self.grpc_bind_address.split(","))
