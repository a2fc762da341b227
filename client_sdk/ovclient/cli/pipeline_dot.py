"""A pipeline as a drawing for Graphviz. Pure."""

from ovclient.cli.pipeline_blocks import Block, blocks, tensor_text
from ovclient.pipeline import REQUEST, RESPONSE, Pipeline, PipelineEdge


def dot(pipeline: Pipeline) -> str:
    """A digraph from left to right, its edges labelled with the tensors that go over them."""
    lines = [f"digraph {_quoted(pipeline.name)} {{", "  rankdir=LR;", "  node [shape=box];"]
    lines += [_node(block) for block in blocks(pipeline)]
    lines += [_edge(edge) for edge in pipeline.edges]
    return "\n".join([*lines, "}"])


def _node(block: Block) -> str:
    asked = (f"{row.name} {row.tensor}" for row in block.rows if not row.source)
    label = _label(block.name, block.what, *block.notes, *asked)
    shape = " shape=ellipse" if block.name in (REQUEST, RESPONSE) else ""
    return f"  {_quoted(block.name)} [label={label}{shape}];"


def _edge(edge: PipelineEdge) -> str:
    names = edge.output if edge.output == edge.input else f"{edge.output} -> {edge.input}"
    ends = f"{_quoted(edge.source)} -> {_quoted(edge.target)}"
    return f"  {ends} [label={_label(names, tensor_text(edge))}];"


def _label(*lines: str) -> str:
    """Lines below one another, in which `&` would begin an entity."""
    return '"' + r"\n".join(_escaped(line).replace("&", "&amp;") for line in lines if line) + '"'


def _quoted(name: str) -> str:
    return f'"{_escaped(name)}"'


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
