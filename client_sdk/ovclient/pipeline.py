"""The graph of a pipeline: models and functions of a server, connected by tensors. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

REQUEST, RESPONSE = "request", "response"
_NULL = type(None)


@dataclass(frozen=True, slots=True)
class PipelineTensor:
    """An input or output of a pipeline; "" and None stand for what is not known, -1 for a dimension of any size."""

    name: str
    datatype: str = ""
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class PipelineNode:
    """A step of a pipeline: it runs the model or function `servable` when all its inputs are there.

    `kind` is "model" or "python"; `version` is None for the one served by default, and where there are none. With a
    `demultiply_count` the outputs are cut along their first dimension, and what follows runs for each part: -1 takes as
    many as come. `gather_from` is the node, or "request", whose parts are put together again for this one.
    """

    name: str
    kind: str
    servable: str
    version: int | None = None
    demultiply_count: int | None = None
    gather_from: str | None = None


@dataclass(frozen=True, slots=True)
class PipelineEdge:
    """A tensor's way from an output of node `source` to an input of node `target`.

    `shape` is what one run of the target gets, after cutting up and putting together; "" and None as in
    `PipelineTensor`.
    """

    source: str
    output: str
    target: str
    input: str
    datatype: str = ""
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline's graph, from the fixed node "request" to the fixed node "response".

    `nodes` are the steps between the two, each after those it gets tensors from, whatever order they are given in.
    Raises ValueError where nodes are missing, wait for one another or share a name.
    """

    name: str
    inputs: tuple[PipelineTensor, ...]
    outputs: tuple[PipelineTensor, ...]
    nodes: tuple[PipelineNode, ...]
    edges: tuple[PipelineEdge, ...]
    demultiply_count: int | None = None

    def __post_init__(self) -> None:
        _check_names(self)
        object.__setattr__(self, "nodes", tuple(_in_order(self)))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Pipeline":
        """The graph that ovserve describes so; ValueError says which key is missing or wrong."""
        return cls(
            _member(document, "name", str),
            tuple(PipelineTensor(_member(part, "name", str), *_type(part)) for part in _parts(document, "inputs")),
            tuple(PipelineTensor(_member(part, "name", str), *_type(part)) for part in _parts(document, "outputs")),
            tuple(map(_node, _parts(document, "nodes"))),
            tuple(map(_edge, _parts(document, "edges"))),
            _member(document, "demultiply_count", int, _NULL, default=None),
        )

    def document(self) -> dict[str, Any]:
        """The graph as JSON has it, in ovserve's form, which `from_document` reads."""
        tensor_keys = {"source": "from", "target": "to"}
        edges = [{tensor_keys.get(key, key): value for key, value in asdict(edge).items()} for edge in self.edges]
        return {
            "name": self.name,
            "inputs": [asdict(tensor) for tensor in self.inputs],
            "outputs": [asdict(tensor) for tensor in self.outputs],
            "demultiply_count": self.demultiply_count,
            "nodes": [asdict(node) for node in self.nodes],
            "edges": edges,
        }


def _check_names(pipeline: Pipeline) -> None:
    names = [REQUEST, *(node.name for node in pipeline.nodes), RESPONSE]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"pipeline '{pipeline.name}' has several nodes '{twice}'")
    named = [(edge.source, names[:-1]) for edge in pipeline.edges]
    named += [(edge.target, names[1:]) for edge in pipeline.edges]
    named += [(node.gather_from, names[:-1]) for node in pipeline.nodes if node.gather_from is not None]
    for name, possible in named:
        if name not in possible:
            raise ValueError(f"pipeline '{pipeline.name}' refers to node '{name}', expected one of {possible}")


def _in_order(pipeline: Pipeline) -> Iterator[PipelineNode]:
    """Whichever comes first in the given order of those that have all they need: a given order that fits is kept."""
    left, done = list(pipeline.nodes), {REQUEST}
    sources = {node.name: {edge.source for edge in pipeline.edges if edge.target == node.name} for node in left}
    while left:
        following = next((node for node in left if sources[node.name] <= done), None)
        if following is None:
            raise ValueError(f"pipeline '{pipeline.name}': nodes wait for one another: {[node.name for node in left]}")
        left.remove(following)
        done.add(following.name)
        yield following


def _node(part: Any) -> PipelineNode:
    return PipelineNode(
        name=_member(part, "name", str),
        kind=_member(part, "kind", str),
        servable=_member(part, "servable", str),
        version=_member(part, "version", int, _NULL, default=None),
        demultiply_count=_member(part, "demultiply_count", int, _NULL, default=None),
        gather_from=_member(part, "gather_from", str, _NULL, default=None),
    )


def _edge(part: Any) -> PipelineEdge:
    source, output, target, target_input = (_member(part, key, str) for key in ("from", "output", "to", "input"))
    return PipelineEdge(source, output, target, target_input, *_type(part))


def _type(part: Any) -> tuple[str, tuple[int, ...] | None]:
    shape = _member(part, "shape", list, tuple, _NULL, default=None)
    if shape is not None and any(type(dimension) is not int for dimension in shape):
        raise ValueError(f"'shape' must hold whole numbers, got {shape}")
    return _member(part, "datatype", str, default=""), None if shape is None else tuple(shape)


def _parts(part: Any, key: str) -> list[Any]:
    return list(_member(part, key, list, tuple))


def _member(part: Any, key: str, *types: type, **default: Any) -> Any:
    if not isinstance(part, Mapping):
        raise ValueError(f"expected an object with '{key}', got {part!r}")  # noqa: TRY004 - it is the document's fault
    if key not in part and default:
        return default["default"]
    if key not in part:
        raise ValueError(f"'{key}' is missing")
    if type(part[key]) not in types:
        raise ValueError(f"'{key}' must be of type {types[0].__name__}, got {part[key]!r}")
    return part[key]
