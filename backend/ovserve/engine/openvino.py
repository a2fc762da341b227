"""Reads models and compiles them; the engine is the only place that knows OpenVINO."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.parsers import expat

import openvino as ov

from ovserve.config.model import ModelConfig
from ovserve.engine.blueprint import Blueprint, draw
from ovserve.engine.devices import pick
from ovserve.engine.dry_run import DryRun
from ovserve.engine.external_data import points_into_memory
from ovserve.engine.first_use import settle
from ovserve.engine.low_latency import step_by_step
from ovserve.engine.narrowing import narrowed
from ovserve.engine.reasons import reason
from ovserve.engine.refused import NOT_RESHAPED, Refused
from ovserve.engine.reshape import reshape
from ovserve.engine.reshaper import Reshaper, Slots
from ovserve.engine.slot import Slot
from ovserve.engine.specs import ports, read_specs
from ovserve.engine.strings import unpack_string_ports
from ovserve.engine.wish import Wish
from ovserve.errors import LoadFailed
from ovserve.repository.layout import Kind, ModelFiles
from ovserve.repository.mapping import NameMapping
from ovserve.tensors import DType, TensorSpec

VERSION: str = ov.get_version()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A compiled model: what it takes and gives, the slots that run it, and what the log should warn about.

    `streams` is how many inferences the device works on at once.
    `note` says why it is served otherwise than asked for; `reshaper` is there where requests decide shapes.
    `variables` are the names of what it keeps from one inference to the next.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    slots: Slots
    streams: int
    dry_run: DryRun | None
    warnings: tuple[str, ...]
    note: str | None = None
    reshaper: Reshaper | None = None
    variables: tuple[str, ...] = ()


class Engine:
    """One OpenVINO core; `cache_dir` keeps compiled models between starts, `extension` is a library of operations.

    Raises `LoadFailed` where the library cannot be loaded.
    """

    def __init__(self, cache_dir: Path | None = None, extension: Path | None = None) -> None:
        self._core = ov.Core()
        settle(self._core)
        if extension is not None:
            self._extend(extension)
        # OpenVINO would map files of weights: truncating one under a loaded model kills the process (SIGBUS),
        # overwriting it changes a live model's answers.
        self._core.set_property({"ENABLE_MMAP": False})
        if cache_dir is not None:
            self._core.set_property({"CACHE_DIR": str(cache_dir)})
        # Compilations while requests are served leave them at least half of the machine.
        self._late_compilations = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))

    def _extend(self, extension: Path) -> None:
        try:
            self._core.add_extension(str(extension))
        except RuntimeError as error:
            raise LoadFailed(f"the library cannot be loaded: {reason(error)}", extension) from error

    def pick_device(self) -> str:
        """Pick a device as OVMS does: a discrete GPU, else an integrated one, else the CPU."""
        return pick(self._core)

    def load(self, files: ModelFiles, mapping: NameMapping, config: ModelConfig) -> LoadedModel:
        """Read and compile; raises `LoadFailed` with the cause."""
        try:
            model = self._read(files)
            if config.low_latency_transformation:
                step_by_step(model)
            blueprint = draw(model, mapping, config)
            return self._in_shape(blueprint, config)
        except Refused as error:
            raise LoadFailed(str(error), files.path) from error

    def _in_shape(self, blueprint: Blueprint, config: ModelConfig) -> LoadedModel:
        """Compile in the shapes asked for or, where the model does not take them, in its own."""
        wish = blueprint.wish
        if wish is None:
            return self._build(blueprint, blueprint.model, config)
        try:
            loaded = self._build(blueprint, reshape(blueprint.model, blueprint.names, wish), config)
        except Refused as error:
            if config.strict_shape:
                raise Refused(f"{NOT_RESHAPED}: {error}") from error
            own = self._build(blueprint, blueprint.model, config)
            loaded = replace(own, note=f"{NOT_RESHAPED}, it keeps its own: {error}")
        return replace(loaded, reshaper=self._reshaper(blueprint, wish, loaded, config))

    def _reshaper(self, blueprint: Blueprint, wish: Wish, loaded: LoadedModel, config: ModelConfig) -> Reshaper | None:
        """Make what compiles `loaded` in more shapes, each with as many slots; None where requests decide nothing."""

        def compile_model(model: ov.Model) -> Slots:
            with self._late_compilations:
                compiled = self._compile(unpack_string_ports(model), config)
            return _slots(compiled, loaded.inputs, loaded.outputs, len(loaded.slots))

        reshaper = Reshaper(blueprint, wish, compile_model)
        return reshaper if reshaper.auto else None

    def _build(self, blueprint: Blueprint, model: ov.Model, config: ModelConfig) -> LoadedModel:
        inputs = read_specs(model.inputs, blueprint.names.inputs, blueprint.inputs)
        outputs = read_specs(model.outputs, blueprint.names.outputs, blueprint.outputs)
        has_strings = any(spec.dtype is DType.BYTES for spec in inputs)
        dry_run = DryRun(model.clone(), inputs, outputs) if has_strings else None
        tensors = _called(model.inputs, inputs, "input") | _called(model.outputs, outputs, "output")
        own_nodes = {node.get_friendly_name() for node in model.get_ops()} - tensors.keys()
        compiled = self._compile(unpack_string_ports(model.clone()), config)
        count = config.nireq or int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        if not config.nireq and blueprint.wish is not None and any(blueprint.wish.auto.values()):
            count += 1  # requests on several variants leave gaps that one more fills (ADR 0012)
        slots = _slots(compiled, inputs, outputs, count)
        warnings = (*blueprint.warnings, *narrowed(compiled, tensors, own_nodes))
        kept = slots[0].variables
        return LoadedModel(inputs, outputs, slots, _streams(compiled), dry_run, warnings, variables=kept)

    def _read(self, files: ModelFiles) -> ov.Model:
        cause = _unreadable(files)
        try:
            if cause is None and files.weights is None:
                return self._core.read_model(str(files.path))
            if cause is None:
                return self._core.read_model(str(files.path), str(files.weights))
        except RuntimeError as error:
            cause = reason(error)
        raise Refused(f"{files.kind.label} file '{files.path.name}' cannot be read: {cause}")

    def _compile(self, model: ov.Model, config: ModelConfig) -> ov.CompiledModel:
        properties = dict(config.plugin_config)
        if not properties.keys() & {"PERFORMANCE_HINT", "NUM_STREAMS"}:
            properties["PERFORMANCE_HINT"] = "LATENCY" if _runs_one_batch(config) else "THROUGHPUT"
        if config.target_device == "CPU":
            # Pinned threads of two models meet on one core while another is idle (ADR 0004).
            properties.setdefault("ENABLE_CPU_PINNING", False)
            if model.is_dynamic():
                # It keeps code for the shapes it met, 3 MB for each new one and no end in sight (ADR 0004).
                properties.setdefault("CPU_RUNTIME_CACHE_CAPACITY", 100)
        try:
            return self._core.compile_model(model, config.target_device, properties)
        except (RuntimeError, TypeError, ValueError) as error:
            raise Refused(f"the model cannot be compiled for device {config.target_device}: {reason(error)}") from error


def _runs_one_batch(config: ModelConfig) -> bool:
    """Tell whether requests come as batches, one at a time: it gets all cores then (ADR 0024)."""
    declared = config.declared
    if declared is None or declared.dynamic_batching is None:
        return False
    return declared.max_batch_size > 1 and config.nireq <= 1


def _streams(compiled: ov.CompiledModel) -> int:
    """How many inferences the device works on at once; some devices do not tell."""
    if "NUM_STREAMS" not in compiled.get_property("SUPPORTED_PROPERTIES"):
        return 1
    return int(compiled.get_property("NUM_STREAMS"))


def _slots(
    compiled: ov.CompiledModel, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], count: int
) -> Slots:
    places = ports(inputs), ports(outputs)
    return tuple(Slot(compiled.create_infer_request(), *places) for _ in range(count))


def _called(tensors: Sequence[ov.Output], specs: Sequence[TensorSpec], what: str) -> dict[str, str]:
    return {tensor.node.friendly_name: f"{what} '{spec.name}'" for tensor, spec in zip(tensors, specs, strict=True)}


def _unreadable(files: ModelFiles) -> str | None:
    """Find what OpenVINO's message leaves out, a file we may not open or XML that is broken, and what it would take.

    Before OpenVINO looks at it: with a file that is not what its name says it tries all its readers, and some of them
    write to standard error.
    """
    for path in filter(None, (files.path, files.weights)):
        if path.is_file():
            try:
                path.open("rb").close()
            except OSError as error:
                return f"{path.name}: {error.strerror}"
    if files.path.is_file() and points_into_memory(files.path):
        return "it takes weights from an address in the server's memory"
    if files.kind is not Kind.IR:
        return None
    try:
        with files.path.open("rb") as xml:
            expat.ParserCreate().ParseFile(xml)
    except expat.ExpatError as error:
        return f"it is not well-formed XML ({error})"
    return None
