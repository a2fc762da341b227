"""A Triton model configuration -> ours (spec K.1, K.3). Pure.

It reads the JSON that Triton hands to a backend, and what a config.pbtxt becomes as JSON: in both, fields go by their
names in model_config.proto, and numbers may be text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ovserve.config.batching_document import read_dynamic_batching
from ovserve.config.declared import DeclaredTensor, Document, TritonConfig, WrongTritonConfig
from ovserve.config.ensemble import read_ensemble
from ovserve.config.model import ModelConfig
from ovserve.config.sequence_batching import read_sequence_batching
from ovserve.config.warm_up import read_samples
from ovserve.tensors import BY_KSERVE, DType

_PADDING = "ENABLE_BATCH_PADDING"

# What a real Triton does by itself, before and after a backend.
DONE_BY_TRITON = frozenset(
    {
        "dynamic_batching",
        "label_filename",
        "metric_tags",
        "model_metrics",
        "model_operations",
        "model_repository_agents",
        "model_transaction_policy",
        "model_warmup",
        "response_cache",
        "version_policy",
    }
)

# What our own server does with a config.pbtxt, and with parameters, besides.
DONE_BY_SERVER = frozenset(
    {_PADDING, "dynamic_batching", "ensemble_scheduling", "model_warmup", "sequence_batching", "version_policy"}
)

_READ = {"backend", "default_model_filename", "input", "instance_group", "max_batch_size", "name", "output"} | {
    "optimization",
    "parameters",
    "platform",
    "runtime",
}
_REFUSED = {
    "batch_input": "no tensors are made from the batch",
    "batch_output": "outputs are not scattered over a batch",
    "ensemble_scheduling": "an ensemble is not a model",
    "sequence_batching": "requests of a sequence could meet another instance",
}
_REFUSED_OF_A_TENSOR = ("is_shape_tensor", "is_non_linear_format_io")
_NO_EFFECT_OF_OPTIMIZATION = ("execution_accelerators", "graph", "cuda")
_KINDS = ("", "KIND_AUTO", "KIND_CPU")
_FILLED_IN = ("", "model.py", "model.xml")  # by Triton, when the configuration names no file

_OURS = ModelConfig.model_fields.keys() - {"name", "base_path", "declared", "pipeline"}
_OF_PYTHON_MODELS = ("max_queue", "queue_timeout", "python_model_isolation", "python_model_stuck_seconds")
_WHY_NOT = {"EXECUTION_ENV_PATH": "Python models run in the server's own environment"}
_DONE_BY_PYTHON_MODELS = {"model_transaction_policy", "optional"}
_NEEDS_LAYOUT = ("mean", "scale", "color_format", "precision")
_PROPERTIES = ("PERFORMANCE_HINT", "NUM_STREAMS")
_NUMBERS = ("INFERENCE_NUM_THREADS", "COMPILATION_NUM_THREADS")
_WITHOUT_EFFECT = {
    "SKIP_OV_DYNAMIC_BATCHSIZE": "OpenVINO knows no such switch any more",
    _PADDING: "a batch below max_batch_size runs as it is",
}


def to_model_config(declared: TritonConfig, base_path: Path) -> ModelConfig:
    """Make the configuration of the model; raises `WrongTritonConfig` that names the parameter."""
    try:
        return ModelConfig(name=declared.name, base_path=base_path, **declared.settings)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        raise WrongTritonConfig(f"parameter '{first['loc'][0]}': {said}, got '{first['input']}'") from error


def read_triton(document: Document, done_elsewhere: frozenset[str]) -> TritonConfig:
    """Read a configuration; `done_elsewhere` are the fields that whoever asks takes care of.

    Raises `WrongTritonConfig` with one sentence.
    """
    for name, why in _REFUSED.items():
        if document.get(name) and name not in done_elsewhere:
            raise WrongTritonConfig(f"{name} is not supported: {why}")
    max_batch_size = int(document.get("max_batch_size", 0))
    inputs = tuple(_tensor(tensor, "input") for tensor in document.get("input", ()))
    outputs = tuple(_tensor(tensor, "output") for tensor in document.get("output", ()))
    if "label_filename" in done_elsewhere:
        outputs = tuple(replace(tensor, label_file="") for tensor in outputs)
    keeps_sequences = "sequence_batching" in done_elsewhere
    is_python = document.get("backend") == "python"
    given = document.get("parameters", {})
    without: tuple[str, ...] = ()
    if is_python:  # they are the model's own, but for its queue and its processes
        without = tuple(f"parameter '{name}' has no effect: {_WHY_NOT[name]}" for name in _WHY_NOT if name in given)
        given = {key: value for key, value in given.items() if key.lower() in _OF_PYTHON_MODELS}
        done_elsewhere = done_elsewhere | _DONE_BY_PYTHON_MODELS
    found = _Parameters(given, 0 if is_python else max_batch_size, inputs)
    parameters, warnings = found.read(done_elsewhere)
    if not keeps_sequences and "stateful" in parameters:
        raise WrongTritonConfig(f"parameter 'STATEFUL' is not supported: {_REFUSED['sequence_batching']}")
    return TritonConfig(
        name=str(document.get("name", "")),
        max_batch_size=max_batch_size,
        inputs=inputs,
        outputs=outputs,
        instances=_instances(document),
        file_name=_file_name(document),
        has_scheduler=bool({"dynamic_batching", "sequence_batching"} & document.keys()),
        dynamic_batching=read_dynamic_batching(document, max_batch_size),
        pads_batch=found.pads_batch,
        settings=_version_policy(document) | parameters,
        warm_up=read_samples(document, max_batch_size, inputs),
        pipeline=read_ensemble(document, inputs, outputs) if document.get("ensemble_scheduling") else None,
        sequences=read_sequence_batching(document) if keeps_sequences else None,
        warnings=(*_fields_without_effect(document, done_elsewhere), *without, *warnings),
        document=document,
    )


def _tensor(document: Document, what: str) -> DeclaredTensor:
    name = str(document.get("name", ""))
    for flag in _REFUSED_OF_A_TENSOR:
        if document.get(flag):
            raise WrongTritonConfig(f"{what} '{name}': {flag} is not supported")
    kind = str(document.get("data_type", "")).removeprefix("TYPE_")
    reshape = document.get("reshape")
    return DeclaredTensor(
        name,
        DType.BYTES if kind == "STRING" else BY_KSERVE.get(kind),
        tuple(map(int, document.get("dims", ()))),
        None if reshape is None else tuple(map(int, reshape.get("shape", ()))),
        str(document.get("label_filename", "")),
        bool(document.get("allow_ragged_batch", False)),
    )


def _instances(document: Document) -> int:
    """How many instances of the model run side by side."""
    groups: Sequence[Document] = document.get("instance_group", ())
    for group in groups:
        if group.get("kind", "") not in _KINDS:
            raise WrongTritonConfig(f"instance_group: only KIND_CPU and KIND_AUTO are supported, got {group['kind']}")
    return max(1, sum(int(group.get("count", 1)) or 1 for group in groups))


def _version_policy(document: Document) -> dict[str, Any]:
    """Find the policy, in OVMS's words, which are Triton's too; numbers may be texts here."""
    for kind, options in document.get("version_policy", {}).items():
        numbers = {name: list(map(int, value)) if name == "versions" else int(value) for name, value in options.items()}
        return {"model_version_policy": json.dumps({kind: numbers})}
    return {}


def _file_name(document: Document) -> str:
    name = str(document.get("default_model_filename", ""))
    if name in _FILLED_IN:
        return ""
    if Path(name).name != name or name == "..":
        raise WrongTritonConfig(f"default_model_filename '{name}' is not the name of a file in the version's folder")
    return name


def _fields_without_effect(document: Document, done_elsewhere: frozenset[str]) -> Iterator[str]:
    for name, value in document.items():
        if value and name not in _READ and name not in done_elsewhere:
            yield f"{name} has no effect"
    for name in _NO_EFFECT_OF_OPTIMIZATION:
        if document.get("optimization", {}).get(name):
            yield f"optimization.{name} has no effect"
    for tensor in document.get("input", ()):
        if tensor.get("format", "FORMAT_NONE") != "FORMAT_NONE":
            yield f"input '{tensor['name']}': format has no effect; the parameter layout has"
        if tensor.get("optional") and "optional" not in done_elsewhere:
            yield f"input '{tensor['name']}': optional has no effect, the model needs every input"


class _Parameters:
    """Collects settings from `parameters`; ours may be written in capitals."""

    def __init__(self, document: Document, max_batch_size: int, inputs: Sequence[DeclaredTensor]) -> None:
        self._texts: dict[str, str] = {}
        for key, value in document.items():
            if key.upper() in self._texts:
                raise WrongTritonConfig(f"parameter '{key}' is given twice")
            self._texts[key.upper()] = str(value["string_value"] if isinstance(value, Mapping) else value)
        self._names = {key.upper(): key for key in document}
        self._max_batch_size = max_batch_size
        self._inputs = inputs
        self._settings: dict[str, Any] = {}
        self._properties: dict[str, Any] = {}
        self._warnings: list[str] = []

    @property
    def pads_batch(self) -> bool:
        return _is_yes(self._texts.get(_PADDING, ""))

    def read(self, done_elsewhere: frozenset[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        for key, text in self._texts.items():
            if key not in done_elsewhere:
                self._take(key, text)
        missing = [name for name in _NEEDS_LAYOUT if name in self._settings and "layout" not in self._settings]
        if missing:
            raise WrongTritonConfig(f"parameter '{missing[0]}' requires the parameter 'layout'")
        self._merge_properties()
        self._shape_from_the_configuration()
        return self._settings, tuple(self._warnings)

    def _take(self, key: str, text: str) -> None:
        if key.lower() in _OURS:
            self._settings[key.lower()] = _object(text) if key == "PLUGIN_CONFIG" else text
        elif key in _PROPERTIES:
            self._properties[key] = text
        elif key in _NUMBERS:
            if not text.isdecimal():
                raise WrongTritonConfig(f"expected the parameter '{key}' to be a non-negative number, got {text}")
            self._properties[key] = text
        elif key == "HINT_BF16":
            if _is_yes(text):
                self._properties["INFERENCE_PRECISION_HINT"] = "bf16"
        elif key == "CPU_EXTENSION_PATH":
            raise WrongTritonConfig("parameter 'CPU_EXTENSION_PATH' is not supported: no libraries are loaded")
        elif key in _WITHOUT_EFFECT:
            self._warnings.append(f"parameter '{key}' has no effect: {_WITHOUT_EFFECT[key]}")
        elif key != "RESHAPE_IO_LAYERS":
            self._warnings.append(f"parameter '{self._names[key]}' is unknown and has no effect")

    def _merge_properties(self) -> None:
        given = self._settings.get("plugin_config", {})
        twice = given.keys() & self._properties.keys()
        if twice:
            raise WrongTritonConfig(f"parameter '{min(twice)}' is given in plugin_config too")
        if self._properties:
            self._settings["plugin_config"] = {**given, **self._properties}

    def _shape_from_the_configuration(self) -> None:
        """Have the dims of the configuration, or its max_batch_size, as shapes, where no parameter says otherwise."""
        reshapes = _is_yes(self._texts.get("RESHAPE_IO_LAYERS", ""))
        if self._settings.keys() & {"shape", "batch_size"}:
            if reshapes:
                self._warnings.append("parameter 'RESHAPE_IO_LAYERS' has no effect: shape or batch_size is given")
            return
        most = self._max_batch_size
        if reshapes:
            if not self._inputs or not all(tensor.dims for tensor in self._inputs):
                raise WrongTritonConfig("parameter 'RESHAPE_IO_LAYERS' requires inputs with dims")
            batch = [] if most == 0 else ["1" if most == 1 else f"1:{most}"]
            self._settings["shape"] = json.dumps(
                {tensor.name: f"({','.join([*batch, *map(str, tensor.model_dims)])})" for tensor in self._inputs}
            )
        elif most > 0:
            self._settings["batch_size"] = f"1:{most}"
        if reshapes or most > 0:
            self._settings["strict_shape"] = True


def _is_yes(text: str) -> bool:
    return text.upper() == "YES"


def _object(text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise WrongTritonConfig(f"parameter 'plugin_config' is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise WrongTritonConfig(f"parameter 'plugin_config' must be a JSON object, got {text}")
    return parsed
