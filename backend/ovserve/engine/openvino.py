"""Reads models and compiles them; with slot.py and strings.py the only place that knows OpenVINO."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import openvino as ov

from ovserve.config.model import ModelConfig
from ovserve.engine.dry_run import DryRun
from ovserve.engine.first_use import settle
from ovserve.engine.narrowing import narrowed
from ovserve.engine.reasons import reason
from ovserve.engine.slot import Port, Slot
from ovserve.engine.strings import unpack_string_ports
from ovserve.errors import LoadFailed
from ovserve.repository.layout import Kind, ModelFiles
from ovserve.repository.mapping import NameMapping
from ovserve.tensors import BY_OPENVINO, Dim, DType, TensorSpec

PORTS_OF_A_STRING = 3
VERSION: str = ov.get_version()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A compiled model: what it takes and gives, the slots that run it, and what the log should warn about."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    slots: tuple[Slot, ...]
    dry_run: DryRun | None
    warnings: tuple[str, ...]


class Engine:
    """One OpenVINO core; `cache_dir` keeps compiled models between starts."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._core = ov.Core()
        settle(self._core)
        # OpenVINO would map the .bin: truncating it under a loaded model kills the process (SIGBUS), overwriting it
        # changes a live model's answers.
        self._core.set_property({"ENABLE_MMAP": False})
        if cache_dir is not None:
            self._core.set_property({"CACHE_DIR": str(cache_dir)})

    def load(self, files: ModelFiles, mapping: NameMapping, config: ModelConfig) -> LoadedModel:
        """Read and compile; raises `LoadFailed` with the cause."""
        model = self._read(files)
        inputs = _specs(model.inputs, mapping.inputs, "input", files.path)
        outputs = _specs(model.outputs, mapping.outputs, "output", files.path)
        has_strings = any(spec.dtype is DType.BYTES for spec in inputs)
        dry_run = DryRun(model.clone(), inputs, outputs) if has_strings else None
        tensors = _called(model.inputs, inputs, "input") | _called(model.outputs, outputs, "output")
        own_nodes = {node.get_friendly_name() for node in model.get_ops()} - tensors.keys()
        compiled = self._compile(unpack_string_ports(model), config, files.path)
        slots = self._slots(compiled, inputs, outputs, config)
        return LoadedModel(inputs, outputs, slots, dry_run, narrowed(compiled, tensors, own_nodes))

    def _read(self, files: ModelFiles) -> ov.Model:
        cause = _unreadable(files)
        try:
            if cause is None and files.weights is None:
                return self._core.read_model(str(files.path))
            if cause is None:
                return self._core.read_model(str(files.path), str(files.weights))
        except RuntimeError as error:
            cause = reason(error)
        raise LoadFailed(f"{files.kind.label} file '{files.path.name}' cannot be read: {cause}", files.path)

    def _compile(self, model: ov.Model, config: ModelConfig, path: Path) -> ov.CompiledModel:
        properties = dict(config.plugin_config)
        if not properties.keys() & {"PERFORMANCE_HINT", "NUM_STREAMS"}:
            properties["PERFORMANCE_HINT"] = "THROUGHPUT"
        try:
            return self._core.compile_model(model, config.target_device, properties)
        except (RuntimeError, TypeError, ValueError) as error:
            raise LoadFailed(
                f"the model cannot be compiled for device {config.target_device}: {reason(error)}", path
            ) from error

    def _slots(
        self,
        compiled: ov.CompiledModel,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        config: ModelConfig,
    ) -> tuple[Slot, ...]:
        count = config.nireq or int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        ports = _ports(inputs), _ports(outputs)
        return tuple(Slot(compiled.create_infer_request(), *ports) for _ in range(count))


def _specs(tensors: Sequence[ov.Output], renamed: Mapping[str, str], what: str, path: Path) -> tuple[TensorSpec, ...]:
    if not tensors:
        raise LoadFailed(f"the model has no {what}s", path)
    # The names of the model as read: compiling may change them.
    names = _names(tensors, what)
    unknown = renamed.keys() - set(names)
    if unknown:
        raise LoadFailed(f"mapping_config.json renames {what} '{min(unknown)}'; the model has {names}", path)
    public = [renamed.get(name, name) for name in names]
    if len(set(public)) < len(public):
        raise LoadFailed(f"mapping_config.json gives two {what}s the same name: {public}", path)
    return tuple(_spec(tensor, name, what, path) for tensor, name in zip(tensors, public, strict=True))


def _names(tensors: Sequence[ov.Output], what: str) -> list[str]:
    names: list[str] = []
    for index, tensor in enumerate(tensors):
        # As OVMS: outputs without a name are out_0, out_1, ... An unnamed input goes by its node's name.
        name = tensor.any_name if tensor.names else f"out_{index}" if what == "output" else tensor.node.friendly_name
        names.append(f"{what[:-3]}_{index}" if name in names else name)
    return names


def _spec(tensor: ov.Output, name: str, what: str, path: Path) -> TensorSpec:
    element = tensor.element_type.get_type_name()
    dtype = BY_OPENVINO.get(element)
    if dtype is None:
        raise LoadFailed(f"{what} '{name}' has element type {element}, which KServe v2 has no datatype for", path)
    shape = tensor.partial_shape
    if shape.rank.is_dynamic:
        return TensorSpec(name, dtype, None)
    return TensorSpec(name, dtype, tuple(_dim(dim) for dim in shape))


def _called(tensors: Sequence[ov.Output], specs: Sequence[TensorSpec], what: str) -> dict[str, str]:
    return {tensor.node.friendly_name: f"{what} '{spec.name}'" for tensor, spec in zip(tensors, specs, strict=True)}


def _dim(dim: ov.Dimension) -> Dim:
    high = dim.get_max_length()
    return Dim(dim.get_min_length(), None if high < 0 else high)


def _ports(specs: Sequence[TensorSpec]) -> tuple[Port, ...]:
    ports: list[Port] = []
    index = 0
    for spec in specs:
        ports.append(Port(spec.name, spec.dtype, index))
        index += PORTS_OF_A_STRING if spec.dtype is DType.BYTES else 1
    return tuple(ports)


def _unreadable(files: ModelFiles) -> str | None:
    """Find what OpenVINO's message leaves out: a file we may not open, XML that is broken and where.

    Before OpenVINO looks at it: with a file that is not what its name says it tries all its readers, and some of them
    write to standard error.
    """
    for path in filter(None, (files.path, files.weights)):
        if path.is_file():
            try:
                path.open("rb").close()
            except OSError as error:
                return f"{path.name}: {error.strerror}"
    if files.kind is not Kind.IR:
        return None
    try:
        with files.path.open("rb") as xml:
            expat.ParserCreate().ParseFile(xml)
    except expat.ExpatError as error:
        return f"it is not well-formed XML ({error})"
    return None
