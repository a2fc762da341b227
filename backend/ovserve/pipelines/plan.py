"""A pipeline and what its models say of themselves -> an immutable plan that a run walks. Pure.

Source of the rules: spec G.2 and G.4, as amended by decisions 13, 14, 15 and 20.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ovserve.config.pipeline import MAX_DEMULTIPLY_COUNT, REQUEST, RESPONSE, DataSource, NodeConfig, PipelineConfig
from ovserve.pipelines import edges
from ovserve.pipelines.graph import Frames, Graph, WrongPipeline, connections, draw
from ovserve.tensors import Dim, TensorSpec

_AS_MANY_AS_COME = Dim(0, MAX_DEMULTIPLY_COUNT)


@dataclass(frozen=True, slots=True)
class Member:
    """What the plan knows of the model that a node runs; `label` names it."""

    label: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a tensor comes from: a node, and its name there; `spec` is what one branch holds, None if unknown."""

    node: str
    item: str
    spec: TensorSpec | None


@dataclass(frozen=True, slots=True)
class Step:
    """A node: what feeds each input of its model, and the alias of each output that others use.

    `gathers` names the demultiplexer whose shards are stacked into each input; `demultiplies` says into how many
    shards each output is split (-1: as many as it has, None: not at all).
    """

    node: str
    feeds: Mapping[str, Source]
    outputs: Mapping[str, str]
    gathers: str | None
    demultiplies: int | None

    @property
    def fed_by(self) -> frozenset[str]:
        return frozenset(source.node for source in self.feeds.values())


@dataclass(frozen=True, slots=True)
class Result:
    """An output of the pipeline: a tensor, and the demultiplexers whose shards are gathered for it, outermost first."""

    source: Source
    gathers: Frames


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection, for people to look at; `spec` is what arrives in one branch, None if unknown."""

    source: DataSource
    node: str
    item: str
    spec: TensorSpec | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order in which each comes after those that feed it."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    demultiplies: int | None
    steps: tuple[Step, ...]
    results: Mapping[str, Result]
    edges: tuple[Edge, ...]


def plan(config: PipelineConfig, members: Mapping[str, Member]) -> Plan:
    """Plan the pipeline over the models of its nodes, by node; raises `WrongPipeline`."""
    return _Planning(draw(config), members).plan()


class _Planning:
    """Goes through a graph's connections and collects what they ask of the pipeline's inputs."""

    def __init__(self, graph: Graph, members: Mapping[str, Member]) -> None:
        self._graph = graph
        self._members = members
        self._given: dict[str, TensorSpec | None] = dict.fromkeys(graph.config.inputs)
        self._edges: list[Edge] = []

    def plan(self) -> Plan:
        config = self._graph.config
        for node in self._graph.nodes:
            self._check_ports(node)
            self._check_split(node)
        steps = tuple(map(self._step, self._graph.nodes))
        inputs = tuple(self._input(name, spec) for name, spec in self._given.items())
        results = {name: self._result(name, source) for name, source in connections(config.outputs)}
        outputs = tuple(self._output(name, result) for name, result in results.items())
        demultiplies = self._graph.demultiplies(REQUEST)
        arrivals = tuple(map(self._with_what_fits_all, self._edges))
        return Plan(config.name, inputs, outputs, demultiplies, steps, results, arrivals)

    def _with_what_fits_all(self, edge: Edge) -> Edge:
        """Have a connection from the request show what fits everything that the input feeds."""
        spec = self._given.get(edge.source.data_item) if edge.source.node_name == REQUEST else None
        if spec is None or edge.node == RESPONSE:
            return edge
        gathers = self._node(edge.node).gather_from_node
        return replace(edge, spec=edges.gathered(spec, self._length(gathers)) if gathers else spec)

    def _check_ports(self, node: NodeConfig) -> None:
        """Check that the model has what the node connects, and that all of its inputs are connected."""
        member = self._members[node.name]
        inputs, outputs = ([spec.name for spec in specs] for specs in (member.inputs, member.outputs))
        connected = [name for name, _ in connections(node.inputs)]
        for name in connected:
            if name not in inputs:
                raise WrongPipeline(
                    f"node '{node.name}': {member.label} has no input '{name}', it has {_names(inputs)}"
                )
        for output in node.outputs:
            if output.data_item not in outputs:
                raise WrongPipeline(
                    f"node '{node.name}': {member.label} has no output '{output.data_item}', it has {_names(outputs)}"
                )
        for name in inputs:
            if name not in connected:
                raise WrongPipeline(f"node '{node.name}': nothing is connected to input '{name}' of {member.label}")

    def _check_split(self, node: NodeConfig) -> None:
        count = self._graph.demultiplies(node.name)
        if count is None:
            return
        for output in node.outputs:
            spec = self._spec(node, output.data_item)
            if spec.dims is None:
                continue
            if len(spec.dims) < 2:  # noqa: PLR2004 - one to split, and one to be left
                raise WrongPipeline(
                    f"node '{node.name}' splits output '{output.data_item}' of shape {edges.shown(spec)}, which needs "
                    f"at least 2 dimensions"
                )
            if count != -1 and not spec.dims[0].admits(count):
                raise WrongPipeline(
                    f"node '{node.name}' splits output '{output.data_item}' of shape {edges.shown(spec)} into {count}: "
                    f"demultiply_count must be the first dimension"
                )

    def _step(self, node: NodeConfig) -> Step:
        wanted = {spec.name: spec for spec in self._members[node.name].inputs}
        feeds = {name: self._feed(node, wanted[name], source) for name, source in connections(node.inputs)}
        outputs = {output.alias: output.data_item for output in node.outputs}
        return Step(node.name, feeds, outputs, node.gather_from_node or None, self._graph.demultiplies(node.name))

    def _feed(self, node: NodeConfig, wanted: TensorSpec, source: DataSource) -> Source:
        gathered = None if not node.gather_from_node else self._length(node.gather_from_node)
        label = f"node '{node.name}': input '{wanted.name}'"
        if source.node_name == REQUEST:
            arrives = wanted
            shard = wanted if gathered is None else edges.ungathered(wanted, gathered, label)
            self._given[source.data_item] = edges.merged(self._given[source.data_item], shard, source.data_item)
        else:
            shard = self._shard(source)
            arrives = shard if gathered is None else edges.gathered(shard, gathered)
            edges.check(arrives, wanted, f"{label} of {self._members[node.name].label}", _place(source))
        self._edges.append(Edge(source, node.name, wanted.name, arrives))
        return Source(source.node_name, source.data_item, shard)

    def _shard(self, source: DataSource) -> TensorSpec:
        """Say what a node gives out in one branch."""
        node = self._node(source.node_name)
        item = next(output.data_item for output in node.outputs if output.alias == source.data_item)
        spec = self._spec(node, item)
        return spec if self._graph.demultiplies(node.name) is None else edges.split(spec)

    def _length(self, demultiplexer: str) -> Dim:
        """Say how many shards there are of a demultiplexer's tensors."""
        count = self._graph.demultiplies(demultiplexer)
        if count != -1:
            return Dim(count or 0, count)
        if demultiplexer == REQUEST:
            return _AS_MANY_AS_COME
        node = self._node(demultiplexer)
        firsts = [spec.dims[0] for spec in (self._spec(node, output.data_item) for output in node.outputs) if spec.dims]
        return next((first for first in firsts if first.is_static), _AS_MANY_AS_COME)

    def _input(self, name: str, spec: TensorSpec | None) -> TensorSpec:
        """Describe an input as the client sees it; one that goes to no node may be anything."""
        if spec is None:
            return TensorSpec(name, None, None)
        whole = replace(spec, name=name)
        return whole if self._graph.demultiplies(REQUEST) is None else edges.demultiplexed(whole, self._length(REQUEST))

    def _result(self, name: str, source: DataSource) -> Result:
        if source.node_name == REQUEST:
            given = self._given[source.data_item]
            shard = TensorSpec(name, None, None) if given is None else given
        else:
            shard = self._shard(source)
        return Result(Source(source.node_name, source.data_item, shard), self._graph.frames[source.node_name])

    def _output(self, name: str, result: Result) -> TensorSpec:
        spec = result.source.spec or TensorSpec(name, None, None)
        for demultiplexer in reversed(result.gathers):
            spec = edges.gathered(spec, self._length(demultiplexer))
        whole = replace(spec, name=name)
        source = DataSource(node_name=result.source.node, data_item=result.source.item)
        self._edges.append(Edge(source, RESPONSE, name, whole))
        return whole

    def _node(self, name: str) -> NodeConfig:
        return next(node for node in self._graph.nodes if node.name == name)

    def _spec(self, node: NodeConfig, output: str) -> TensorSpec:
        return next(spec for spec in self._members[node.name].outputs if spec.name == output)


def _place(source: DataSource) -> str:
    return f"output '{source.data_item}' of node '{source.node_name}'"


def _names(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
