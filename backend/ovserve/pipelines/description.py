"""A plan as a document, for programs and people that want to see the graph."""

from collections.abc import Mapping
from typing import Any

from ovserve.pipelines.plan import Plan
from ovserve.serving.servable import Servable
from ovserve.tensors import TensorSpec


def describe(plan: Plan, members: Mapping[str, Servable]) -> dict[str, Any]:
    """Write inputs, outputs, nodes and edges; shapes as in metadata, null where anything goes."""
    return {
        "name": plan.name,
        "inputs": [{"name": spec.name, **_tensor(spec)} for spec in plan.inputs],
        "outputs": [{"name": spec.name, **_tensor(spec)} for spec in plan.outputs],
        "demultiply_count": plan.demultiplies,
        "nodes": [
            {
                "name": step.node,
                "kind": "python" if members[step.node].metadata.platform == "python" else "model",
                "servable": members[step.node].metadata.name,
                "version": members[step.node].metadata.version,
                "demultiply_count": step.demultiplies,
                "gather_from": step.gathers,
            }
            for step in plan.steps
        ],
        "edges": [
            {
                "from": edge.source.node_name,
                "output": edge.source.data_item,
                "to": edge.node,
                "input": edge.item,
                **_tensor(edge.spec),
            }
            for edge in plan.edges
        ],
    }


def _tensor(spec: TensorSpec | None) -> dict[str, Any]:
    if spec is None or spec.dtype is None:
        return {"datatype": "", "shape": None}
    return {"datatype": spec.dtype.kserve, "shape": None if spec.dims is None else spec.wire_shape}
