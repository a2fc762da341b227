"""Keeps the pipelines in line with their configuration and with the models that serve."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovserve.config.declared import WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.pipeline import NodeConfig
from ovserve.errors import LoadFailed, NotFound, NotReady
from ovserve.observability.logs import get_logger
from ovserve.pipelines.graph import WrongPipeline
from ovserve.pipelines.pipeline import VERSION, Pipeline
from ovserve.pipelines.plan import Member, plan
from ovserve.serving import agreement
from ovserve.serving.decoding_turns import DecodingTurns
from ovserve.serving.registry import Registry, State, VersionStatus
from ovserve.serving.servable import Servable

logger = get_logger("ovserve.pipelines")


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a pipeline was made from, or why it was not; two that are equal need nothing new."""

    config: ModelConfig
    members: Mapping[str, Servable]
    absence: str | None = None
    is_waiting: bool = False


class Upkeep:
    """Makes each pipeline anew when its configuration or one of its models has changed; one thread calls `follow`.

    A configuration that has become wrong leaves the one before it in force, as long as that fits the models. A pipeline
    without one of its models is not ready, and says why.
    """

    def __init__(self, registry: Registry, turns: DecodingTurns) -> None:
        self._registry = registry
        self._turns = turns
        self._bases: dict[str, tuple[_Basis, _Basis]] = {}  # of the configuration, and of the last one that was right
        self._good: dict[str, ModelConfig] = {}

    def follow(self, configured: Mapping[str, ModelConfig]) -> None:
        for name in self._bases.keys() - configured.keys():
            self._remove(name)
        changed = True
        while changed:  # a pipeline may be a node of another
            changed = False
            for name, config in configured.items():
                good = self._good.get(name, config)
                bases = self._basis(config, configured), self._basis(good, configured)
                if bases != self._bases.get(name):
                    self._bases[name] = self._make(name, *bases)
                    changed = True

    def _basis(self, config: ModelConfig, configured: Mapping[str, ModelConfig]) -> _Basis:
        assert config.pipeline is not None  # noqa: S101 - that is what makes it a pipeline's
        members: dict[str, Servable] = {}
        if _is_part_of_itself(config, configured):
            return _Basis(config, {}, "it is a node of itself, through other pipelines or directly")
        for node in config.pipeline.nodes:
            try:
                members[node.name] = self._registry.find(node.servable_of(config.name), node.version)
            except (NotFound, NotReady) as error:
                absence = f"node '{node.name}': {error}"
                return _Basis(config, {}, absence, self._is_loading(node, config.name))
        return _Basis(config, members)

    def _is_loading(self, node: NodeConfig, pipeline: str) -> bool:
        entry = self._registry.entries.get(node.servable_of(pipeline))
        if entry is None or entry.removed:
            return False
        versions = [status for number, status in entry.versions.items() if node.version in (None, number)]
        return any(status.state is State.LOADING and status.cause is None for status in versions)

    def _make(self, name: str, basis: _Basis, before: _Basis) -> tuple[_Basis, _Basis]:
        """Make the pipeline, or what stands in for it; return what it now depends on."""
        made = self._made(basis)
        if isinstance(made, Pipeline):
            self._good[name] = basis.config
            self._serve(name, made)
            return basis, basis
        kept = self._made(before) if before.config != basis.config else None
        if isinstance(kept, Pipeline):
            kept.note = f"its configuration has changed and cannot be used, the one before it is: {made}"
            self._serve(name, kept)
        else:
            self._put(name, VersionStatus(State.LOADING, cause=None if basis.is_waiting else made))
        return basis, before

    def _made(self, basis: _Basis) -> Pipeline | str:
        """Make the pipeline, or say why it cannot be."""
        if basis.absence is not None:
            return basis.absence
        try:
            return make_pipeline(basis.config, basis.members, self._turns)
        except (WrongPipeline, WrongTritonConfig, LoadFailed) as error:
            return str(error)

    def _serve(self, name: str, pipeline: Pipeline) -> None:
        if pipeline.note is not None:
            logger.error("pipeline refused", pipeline=name, cause=pipeline.note)
        members = [f"{member.metadata.name} {member.metadata.version}" for member in pipeline.members.values()]
        logger.info("pipeline available", pipeline=name, members=members)
        self._registry.put(name, VERSION, VersionStatus(State.AVAILABLE, pipeline, note=pipeline.note))

    def _put(self, name: str, status: VersionStatus) -> None:
        if status.cause is not None:
            logger.error("pipeline not available", pipeline=name, cause=status.cause)
        self._registry.put(name, VERSION, status)

    def _remove(self, name: str) -> None:
        del self._bases[name]
        self._good.pop(name, None)
        logger.info("pipeline removed", pipeline=name)
        self._registry.put(name, VERSION, VersionStatus(State.END, cause="unloaded"))
        self._registry.put_removed(name)


def _is_part_of_itself(config: ModelConfig, configured: Mapping[str, ModelConfig]) -> bool:
    reached: set[str] = set()
    waiting = [config]
    while waiting:
        one = waiting.pop()
        nodes = () if one.pipeline is None else one.pipeline.nodes
        fresh = {node.servable_of(one.name) for node in nodes} - reached
        reached |= fresh
        waiting += [configured[name] for name in fresh if name in configured]
    return config.name in reached


def make_pipeline(config: ModelConfig, members: Mapping[str, Servable], turns: DecodingTurns) -> Pipeline:
    """Make a pipeline of these very models, by node; raises `WrongPipeline`, `WrongTritonConfig`, `LoadFailed`."""
    assert config.pipeline is not None  # noqa: S101 - that is what makes it a pipeline's
    found = {node: Member(_label(member), member.taken, member.metadata.outputs) for node, member in members.items()}
    pipeline = Pipeline(config, plan(config.pipeline, found), members, turns)
    if config.declared is not None:
        agreement.check(config.declared, pipeline.metadata)
    return pipeline


def _label(member: Servable) -> str:
    return f"model '{member.metadata.name}' version {member.metadata.version}"
