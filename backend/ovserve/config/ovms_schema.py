"""The keys and types of OVMS's config.json (spec C.1)."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from ovserve.config.json_schema import Items, Part
from ovserve.config.metrics import check_families
from ovserve.config.pipeline import PipelineConfig
from ovserve.config.plugin_config import PropertyValue


def _check(rule: str, is_right: Callable[[Any], bool]) -> PlainValidator:
    def check(value: Any) -> Any:
        if not is_right(value):
            raise PydanticCustomError("wrong_type", "{rule}", {"rule": rule})
        return value

    return PlainValidator(check)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text_or_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and all(isinstance(part, str) for part in value.values()))


_TextOrTexts = Annotated[Any, _check("must be text, or an object of texts", _is_text_or_texts)]
_Numbers = Annotated[
    Any,
    _check(
        "must be a number, a list of numbers, or text",
        lambda value: isinstance(value, str) or all(map(_is_number, value if isinstance(value, list) else [value])),
    ),
]
_BatchSize = Annotated[
    Any,
    _check(
        "must be a whole number from 0, or text",
        lambda value: isinstance(value, str) or (_is_number(value) and isinstance(value, int) and value >= 0),
    ),
]
_Property = Annotated[
    PropertyValue, _check("must be text, a number, true or false", lambda value: isinstance(value, str | int | float))
]


class ModelEntry(Part):
    """An entry's `config`: OVMS's keys, those that its --add_to_config writes, and ours."""

    name: Annotated[str, Field(min_length=1)]
    base_path: str = ""
    batch_size: _BatchSize = None
    shape: _TextOrTexts = None
    layout: _TextOrTexts = None
    model_version_policy: dict[str, Any] = Field(default_factory=dict)
    nireq: Annotated[int, Field(ge=0)] = 0
    target_device: str = ""
    plugin_config: dict[str, _Property] = Field(default_factory=dict)
    mean: _Numbers = None
    scale: _Numbers = None
    color_format: str = ""
    precision: str = ""
    max_queue: Annotated[int, Field(ge=0)] = 0
    queue_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    auto_shape_cache: Annotated[int, Field(ge=1)] = 1
    strict_shape: bool = False
    max_image_pixels: Annotated[int, Field(ge=1)] = 1
    allow_cache: bool = False
    custom_loader_options: dict[str, Any] = Field(default_factory=dict)
    graph_path: str = ""
    subconfig: str = ""
    stateful: bool = False
    idle_sequence_cleanup: bool = False
    max_sequence_number: Annotated[int, Field(ge=1)] = 1
    low_latency_transformation: bool = False


class Entry(Part):
    """OVMS wraps each model once more."""

    config: ModelEntry


class LibraryEntry(Part):
    name: Annotated[str, Field(min_length=1)]
    base_path: Annotated[str, Field(min_length=1)]


class Metrics(Part):
    """Whether metrics are shown, and which; none named are the default ones."""

    enable: bool
    metrics_list: Annotated[Items[str], AfterValidator(check_families)] = ()


class Monitoring(Part):
    metrics: Metrics


class File(Part):
    """The whole file."""

    model_config_list: Items[Entry]
    pipeline_config_list: Items[PipelineConfig] = ()
    custom_node_library_config_list: Items[LibraryEntry] = ()
    monitoring: Monitoring | None = None
    mediapipe_config_list: Items[dict[str, Any]] = ()
    custom_loader_config_list: Items[dict[str, Any]] = ()
