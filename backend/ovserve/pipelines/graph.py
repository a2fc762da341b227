"""A pipeline's nodes and what connects them, as far as that can be judged without their models. Pure.

Source of the rules: spec G.2, as amended by decisions 13, 14, 15 and 20.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from ovserve.config.pipeline import REQUEST, RESPONSE, DataSource, NodeConfig, PipelineConfig

# The demultiplexers whose shards a tensor is one of, from the outermost.
Frames: TypeAlias = tuple[str, ...]


class WrongPipeline(ValueError):
    """The pipeline contradicts itself or its models; the sentence names node and tensor."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes in an order in which each comes after those that feed it.

    `frames` are those of the tensors that a node gives out.
    """

    config: PipelineConfig
    nodes: tuple[NodeConfig, ...]
    frames: Mapping[str, Frames]

    def demultiplies(self, node: str) -> int | None:
        """How many shards the tensors of a node become: -1 as many as there are; None: they stay whole."""
        if node == REQUEST:
            return _count(self.config.demultiply_count)
        return next(_count(one.demultiply_count) for one in self.nodes if one.name == node)


def draw(config: PipelineConfig) -> Graph:
    """Connect the nodes; raises `WrongPipeline`."""
    nodes = _by_name(config)
    _check_demultiplexers(config)
    for node in nodes.values():
        _check_gathering(config, nodes, node)
        for name, source in connections(node.inputs):
            _check_source(config, nodes, source, f"node '{node.name}': input '{name}'")
        _check_once([name for name, _ in connections(node.inputs)], f"node '{node.name}': input")
        _check_once([output.alias for output in node.outputs], f"node '{node.name}': alias")
    for name, source in connections(config.outputs):
        _check_source(config, nodes, source, f"output '{name}'")
    _check_once([name for name, _ in connections(config.outputs)], "output")
    _check_once(config.inputs, "input")
    ordered = _ordered(nodes)
    _check_all_are_used(config, nodes)
    return Graph(config, ordered, _frames(config, ordered))


def connections(items: tuple[Mapping[str, DataSource], ...]) -> Iterator[tuple[str, DataSource]]:
    """Go through what is written as a list of objects of one key."""
    for item in items:
        yield from item.items()


def _count(demultiply_count: int | None) -> int | None:
    return -1 if demultiply_count == 0 else demultiply_count  # 0 is OVMS's older word for -1


def _by_name(config: PipelineConfig) -> dict[str, NodeConfig]:
    nodes: dict[str, NodeConfig] = {}
    for node in config.nodes:
        if node.name in (REQUEST, RESPONSE):
            raise WrongPipeline(f"no node can be named '{node.name}': that is the name of the pipeline's own end")
        if node.name in nodes:
            raise WrongPipeline(f"node '{node.name}' occurs twice")
        nodes[node.name] = node
    return nodes


def _check_demultiplexers(config: PipelineConfig) -> None:
    counts = {node.name: _count(node.demultiply_count) for node in config.nodes if node.demultiply_count is not None}
    if config.demultiply_count is not None:
        counts = {REQUEST: _count(config.demultiply_count), **counts}
    dynamic = [name for name, count in counts.items() if count == -1]
    if dynamic and len(counts) > 1:
        other = next(name for name in counts if name != dynamic[0])
        raise WrongPipeline(
            f"node '{dynamic[0]}' has demultiply_count -1, beside which there can be no other demultiplexer, "
            f"but '{other}' is one: branches could come out with different numbers of shards"
        )


def _check_gathering(config: PipelineConfig, nodes: Mapping[str, NodeConfig], node: NodeConfig) -> None:
    name = node.gather_from_node
    if not name:
        return
    if name == REQUEST:
        splits = config.demultiply_count is not None
    elif name in nodes:
        splits = nodes[name].demultiply_count is not None
    else:
        raise WrongPipeline(f"node '{node.name}': gather_from_node names '{name}', and there is no such node")
    if not splits:
        raise WrongPipeline(f"node '{node.name}': gather_from_node names '{name}', which has no demultiply_count")


def _check_source(config: PipelineConfig, nodes: Mapping[str, NodeConfig], source: DataSource, label: str) -> None:
    if source.node_name == RESPONSE:
        raise WrongPipeline(f"{label} refers to '{RESPONSE}', which gives nothing to other nodes")
    if source.node_name == REQUEST:
        known, what = list(config.inputs), "the pipeline's inputs"
    elif source.node_name in nodes:
        known = [output.alias for output in nodes[source.node_name].outputs]
        what = f"the outputs of node '{source.node_name}'"
    else:
        raise WrongPipeline(f"{label} refers to node '{source.node_name}', and there is no such node")
    if source.data_item not in known:
        raise WrongPipeline(f"{label} refers to '{source.data_item}', and {what} are {_listed(known)}")


def _check_once(names: list[str] | tuple[str, ...], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise WrongPipeline(f"{what} '{name}' is given more than once")


def _ordered(nodes: Mapping[str, NodeConfig]) -> tuple[NodeConfig, ...]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for node in nodes.values():
        sorter.add(node.name, *(name for name in _feeding(node) if name in nodes))
    try:
        return tuple(nodes[name] for name in sorter.static_order())
    except CycleError as error:
        raise WrongPipeline(f"the nodes feed each other in a circle: {' -> '.join(error.args[1])}") from error


def _feeding(node: NodeConfig) -> list[str]:
    return [source.node_name for _, source in connections(node.inputs)]


def _check_all_are_used(config: PipelineConfig, nodes: Mapping[str, NodeConfig]) -> None:
    used: set[str] = set()
    waiting = [source.node_name for _, source in connections(config.outputs)]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _feeding(nodes[name]) if name in nodes else []
    idle = [name for name in nodes if name not in used]
    if idle:
        raise WrongPipeline(f"node '{idle[0]}' is connected to no output of the pipeline")


def _frames(config: PipelineConfig, ordered: tuple[NodeConfig, ...]) -> dict[str, Frames]:
    frames: dict[str, Frames] = {REQUEST: () if config.demultiply_count is None else (REQUEST,)}
    for node in ordered:
        around = {frames[name] for name in _feeding(node)}
        if len(around) > 1:
            first, second = sorted(around, key=len)[:2]
            raise WrongPipeline(
                f"node '{node.name}' gets tensors of different branches: some are shards of {_shards(first)}, "
                f"others of {_shards(second)}"
            )
        inside = around.pop() if around else ()
        if node.gather_from_node:
            if not inside or inside[-1] != node.gather_from_node:
                raise WrongPipeline(
                    f"node '{node.name}' gathers from '{node.gather_from_node}', but what reaches it are shards of "
                    f"{_shards(inside)}: the demultiplexer met last has to be gathered first"
                )
            inside = inside[:-1]
        frames[node.name] = inside if node.demultiply_count is None else (*inside, node.name)
    return frames


def _shards(frames: Frames) -> str:
    return " in ".join(f"'{name}'" for name in reversed(frames)) or "nothing"


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
