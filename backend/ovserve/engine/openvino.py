"""Reads models and compiles them; the engine is the only place that knows OpenVINO."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import openvino as ov

from ovserve.config.model import ModelConfig
from ovserve.engine.again import Again, weights_bytes
from ovserve.engine.blueprint import Blueprint, draw
from ovserve.engine.core_budget import CoreBudget, Share, machine_budget, runs_one_batch
from ovserve.engine.crowd import Crowd
from ovserve.engine.devices import pick
from ovserve.engine.dry_run import DryRun
from ovserve.engine.first_use import settle
from ovserve.engine.lending import has_large, with_spares
from ovserve.engine.low_latency import step_by_step
from ovserve.engine.narrowing import narrowed
from ovserve.engine.origin import Origin
from ovserve.engine.outputs import Port
from ovserve.engine.quick import QUICK_TURNS, is_quick, may_be_quick
from ovserve.engine.reasons import reason
from ovserve.engine.refused import NOT_RESHAPED, Refused
from ovserve.engine.reshape import reshape
from ovserve.engine.reshaper import Reshaper
from ovserve.engine.slot import Slot
from ovserve.engine.slots import Compiled, Slots
from ovserve.engine.specs import ports, read_specs
from ovserve.engine.stream_queue import StreamQueue
from ovserve.engine.strings import unpack_string_ports
from ovserve.engine.unreadable import unreadable
from ovserve.engine.wish import Wish
from ovserve.errors import LoadFailed
from ovserve.repository.layout import ModelFiles
from ovserve.repository.mapping import NameMapping
from ovserve.tensors import DType, TensorSpec

Places: TypeAlias = tuple[Sequence[Port], Sequence[Port]]

# Waiting for streams, however many those are: until a thread of ours is woken few end (ADR 0032).
_MOST_SPARE = 4

VERSION: str = ov.get_version()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A compiled model: what it takes and gives, the slots that run it, and what the log should warn about.

    `note` says why it is served otherwise than asked for; `reshaper` is there where requests decide shapes.
    `variables` are the names of what it keeps from one inference to the next.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    slots: Slots
    dry_run: DryRun | None
    warnings: tuple[str, ...]
    note: str | None = None
    reshaper: Reshaper | None = None
    variables: tuple[str, ...] = ()


class Engine:
    """One OpenVINO core; `cache_dir` keeps compiled models between starts, `extension` is a library of operations.

    `budget` shares the machine among its models; None: all that the process may use. Raises `LoadFailed` where the
    library cannot be loaded.
    """

    def __init__(
        self, cache_dir: Path | None = None, extension: Path | None = None, budget: CoreBudget | None = None
    ) -> None:
        self._budget = budget or machine_budget()
        self._running: set[object] = set()  # the requests of all models that run now
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
        self._late_compilations = threading.BoundedSemaphore(max(1, self._budget.cores // 2))

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
        origin = Origin(files)

        def read_again() -> Blueprint:
            # Not kept from the first time: that would be all the weights once more.
            origin.check()
            blueprint = self._draw(files, mapping, config)
            origin.check()
            return blueprint

        try:
            return self._in_shape(self._draw(files, mapping, config), config, read_again)
        except Refused as error:
            raise LoadFailed(str(error), files.path) from error

    def _draw(self, files: ModelFiles, mapping: NameMapping, config: ModelConfig) -> Blueprint:
        model = self._read(files)
        if config.low_latency_transformation:
            step_by_step(model)
        return draw(model, mapping, config)

    def _in_shape(self, blueprint: Blueprint, config: ModelConfig, read_again: Callable[[], Blueprint]) -> LoadedModel:
        """Compile in the shapes asked for or, where the model does not take them, in its own."""
        wish = blueprint.wish
        if wish is None:
            return self._build(blueprint, _own_shape, config, read_again)
        try:
            loaded = self._build(blueprint, _wished_shape, config, read_again)
        except Refused as error:
            if config.strict_shape:
                raise Refused(f"{NOT_RESHAPED}: {error}") from error
            own = self._build(blueprint, _own_shape, config, read_again)
            loaded = replace(own, note=f"{NOT_RESHAPED}, it keeps its own: {error}")
        return replace(loaded, reshaper=self._reshaper(blueprint, wish, loaded, config))

    def _reshaper(self, blueprint: Blueprint, wish: Wish, loaded: LoadedModel, config: ModelConfig) -> Reshaper | None:
        """Make what compiles `loaded` in more shapes, each with as many slots; None where requests decide nothing."""
        places = ports(loaded.inputs), ports(loaded.outputs)

        def compile_model(model: ov.Model) -> Slots:
            unpacked = unpack_string_ports(model)
            share = self._budget.share(config)
            with self._late_compilations:
                compiled = self._compile_at_first(unpacked, config, share)
            again = Again(lambda: unpacked, weights_bytes(unpacked))
            return self._slots(compiled, again, config, share=share, places=places, count=len(loaded.slots))

        reshaper = Reshaper(blueprint, wish, compile_model)
        return reshaper if reshaper.auto else None

    def _build(
        self,
        blueprint: Blueprint,
        shaped: Callable[[Blueprint], ov.Model],
        config: ModelConfig,
        read_again: Callable[[], Blueprint],
    ) -> LoadedModel:
        model = shaped(blueprint)
        inputs = read_specs(model.inputs, blueprint.names.inputs, blueprint.inputs)
        outputs = read_specs(model.outputs, blueprint.names.outputs, blueprint.outputs)
        has_strings = any(spec.dtype is DType.BYTES for spec in inputs)
        dry_run = DryRun(model.clone(), inputs, outputs) if has_strings else None
        tensors = _called(model.inputs, inputs, "input") | _called(model.outputs, outputs, "output")
        own_nodes = {node.get_friendly_name() for node in model.get_ops()} - tensors.keys()
        share = self._budget.share(config)
        compiled = self._compile_at_first(unpack_string_ports(model.clone()), config, share)
        by_request = blueprint.wish is not None and any(blueprint.wish.auto.values())
        count = config.nireq or _turns(compiled, share) + _spare(compiled, config, share, by_request=by_request)
        again = Again(lambda: unpack_string_ports(shaped(read_again())), weights_bytes(model))
        slots = self._slots(compiled, again, config, share=share, places=(ports(inputs), ports(outputs)), count=count)
        warnings = (*blueprint.warnings, *narrowed(compiled, tensors, own_nodes))
        return LoadedModel(inputs, outputs, slots, dry_run, warnings, variables=slots.variables)

    def _read(self, files: ModelFiles) -> ov.Model:
        cause = unreadable(files)
        try:
            if cause is None and files.weights is None:
                return self._core.read_model(str(files.path))
            if cause is None and files.private_weights is not None:
                return self._core.read_model(str(files.path), str(files.private_weights), {"ENABLE_MMAP": True})
            if cause is None:
                return self._core.read_model(str(files.path), str(files.weights))
        except RuntimeError as error:
            cause = reason(error)
        raise Refused(f"{files.kind.label} file '{files.path.name}' cannot be read: {cause}")

    def _slots(
        self,
        compiled: ov.CompiledModel,
        again: Again,
        config: ModelConfig,
        *,
        share: Share | None,
        places: Places,
        count: int,
    ) -> Slots:
        """Make `count` slots, whose streams may change where it can be compiled `again`."""
        first = _with_slots(compiled, places, count)
        if share is None or not share.moves or _streams(compiled) == 0:
            return Slots(first, config.name)

        def recompile(streams: int) -> Compiled:
            with self._late_compilations:
                again.check_room()
                made = _with_slots(self._compile(again.model(), config, streams), places, count)
            if made.slots[0].variables != first.slots[0].variables:  # a sequence's values are kept in their order
                raise Refused("its variables come in another order")
            return made

        return Slots(first, config.name, Crowd(share), recompile, running=self._running)

    def _compile_at_first(self, model: ov.Model, config: ModelConfig, share: Share | None) -> ov.CompiledModel:
        """Compile for the streams that the model starts with: none, where requests run it faster than those could."""
        if share is not None and may_be_quick(model):
            compiled = self._compile(model, config, 0)
            if is_quick(compiled):
                return compiled
        return self._compile(model, config, None if share is None else 1)

    def _compile(self, model: ov.Model, config: ModelConfig, streams: int | None) -> ov.CompiledModel:
        properties = self._budget.properties(config, streams)
        if config.target_device == "CPU" and model.is_dynamic():
            # It keeps code for the shapes it met, 3 MB for each new one and no end in sight (ADR 0004).
            properties.setdefault("CPU_RUNTIME_CACHE_CAPACITY", 100)
        try:
            return self._core.compile_model(model, config.target_device, properties)
        except (RuntimeError, TypeError, ValueError) as error:
            raise Refused(f"the model cannot be compiled for device {config.target_device}: {reason(error)}") from error


def _streams(compiled: ov.CompiledModel) -> int:
    """How many streams the device has, none where requests run in their own threads; some devices do not tell."""
    if "NUM_STREAMS" not in compiled.get_property("SUPPORTED_PROPERTIES"):
        return 1
    return int(compiled.get_property("NUM_STREAMS"))


def _turns(compiled: ov.CompiledModel, share: Share | None) -> int:
    if share is not None and _streams(compiled) == 0:
        return QUICK_TURNS
    if share is not None and share.moves:
        return share.most
    return int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))


def _spare(compiled: ov.CompiledModel, config: ModelConfig, share: Share | None, *, by_request: bool) -> int:
    """How many more slots there are than run at once: a stream that is done finds the next request in one of them."""
    if by_request:
        return 1  # requests on several variants leave gaps that one more fills (ADR 0012)
    if config.target_device != "CPU" or runs_one_batch(config):
        return 0
    streams = _streams(compiled)
    return min(share.most if share is not None and streams else streams, _MOST_SPARE)


def _with_slots(compiled: ov.CompiledModel, places: Places, count: int) -> Compiled:
    streams = _streams(compiled)
    queue = StreamQueue(streams) if streams else None

    def make() -> Slot:
        return Slot(compiled.create_infer_request(), *places, queue)

    slots = tuple(make() for _ in range(count))
    return Compiled(with_spares(slots, make) if has_large(compiled.outputs) else slots, max(1, streams))


def _own_shape(blueprint: Blueprint) -> ov.Model:
    return blueprint.model


def _wished_shape(blueprint: Blueprint) -> ov.Model:
    return blueprint.model if blueprint.wish is None else reshape(blueprint.model, blueprint.names, blueprint.wish)


def _called(tensors: Sequence[ov.Output], specs: Sequence[TensorSpec], what: str) -> dict[str, str]:
    return {tensor.node.friendly_name: f"{what} '{spec.name}'" for tensor, spec in zip(tensors, specs, strict=True)}
