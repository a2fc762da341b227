"""What is said about each node of a pipeline, whether in text or in a drawing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ovclient.cli.pipeline_branches import Branches, Names
from ovclient.pipeline import REQUEST, RESPONSE, Pipeline, PipelineEdge, PipelineNode, PipelineTensor


@dataclass(frozen=True, slots=True)
class Row:
    """A tensor that a node gets: its name there, where it comes from ("" at the request), its type, what befalls it."""

    name: str
    source: str
    tensor: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A node: its name, what it runs ("" at the request and the response), and the tensors it gets."""

    name: str
    what: str
    notes: tuple[str, ...]
    rows: tuple[Row, ...]


def blocks(pipeline: Pipeline) -> list[Block]:
    """The request, the nodes in order, the response."""
    branches = Branches.of(pipeline)
    asked = tuple(Row(_line(tensor.name), "", tensor_text(tensor)) for tensor in pipeline.inputs)
    return [
        Block(REQUEST, "", _split(pipeline.demultiply_count), asked),
        *(_block(pipeline, branches, node.name, node) for node in pipeline.nodes),
        _block(pipeline, branches, RESPONSE, None),
    ]


def tensor_text(tensor: PipelineTensor | PipelineEdge) -> str:
    """`FP32 [-1,1000]`, or as much of it as is known."""
    shape = "" if tensor.shape is None else f"[{','.join(map(str, tensor.shape))}]"
    return " ".join(filter(None, (tensor.datatype, shape))) or "unknown"


def _block(pipeline: Pipeline, branches: Branches, name: str, node: PipelineNode | None) -> Block:
    edges = [edge for edge in pipeline.edges if edge.target == name]
    gathered = [branches.gathered(edge) for edge in edges]
    together = len(set(gathered)) == 1  # else each tensor says for itself
    notes = (
        *(_gather(gathered[0]) if together else ()),
        *(f"for each branch of {names}" for names in _list(branches.around[name])),
        *_split(node.demultiply_count if node else None),
    )
    rows = (_row(edge, () if together else of) for edge, of in zip(edges, gathered, strict=True))
    return Block(_line(name), _what(node) if node else "", notes, tuple(rows))


def _row(edge: PipelineEdge, gathered: Names) -> Row:
    note = "".join(f"gathered from {names}" for names in _list(gathered))
    return Row(_line(edge.input), _line(f"{edge.source}.{edge.output}"), tensor_text(edge), note)


def _what(node: PipelineNode) -> str:
    version = "" if node.version is None else f", version {node.version}"
    return _line(f"{node.kind} {node.servable}{version}")


def _split(count: int | None) -> tuple[str, ...]:
    if count is None:
        return ()
    return (f"splits into {count if count > 0 else 'any number of'} branches",)


def _gather(names: Names) -> tuple[str, ...]:
    return tuple(f"gathers the branches of {text}" for text in _list(names))


def _list(names: Sequence[str]) -> tuple[str, ...]:
    """The names as one text, or nothing."""
    return (" and ".join(map(_line, names)),) if names else ()


def _line(text: str) -> str:
    """A name on one line."""
    return " ".join(text.split())
