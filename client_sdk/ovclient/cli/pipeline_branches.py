"""Which demultiplexers' branches each node of a pipeline runs in. Pure."""

from dataclasses import dataclass

from ovclient.pipeline import REQUEST, RESPONSE, Pipeline, PipelineEdge

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branches:
    """By node name the demultiplexers open around it, and those open around its outputs; the outermost first."""

    around: dict[str, Names]
    after: dict[str, Names]

    @classmethod
    def of(cls, pipeline: Pipeline) -> "Branches":
        """What nobody gathered before the response is gathered there."""
        branches = cls({RESPONSE: ()}, {REQUEST: () if pipeline.demultiply_count is None else (REQUEST,)})
        for node in pipeline.nodes:
            coming = [branches.after[edge.source] for edge in pipeline.edges if edge.target == node.name]
            around = tuple(name for name in max(coming, key=len, default=()) if name != node.gather_from)
            branches.around[node.name] = around
            branches.after[node.name] = around if node.demultiply_count is None else (*around, node.name)
        return branches

    def gathered(self, edge: PipelineEdge) -> Names:
        """The demultiplexers whose branches are put together on this edge."""
        around = self.around[edge.target]
        return tuple(name for name in self.after[edge.source] if name not in around)
