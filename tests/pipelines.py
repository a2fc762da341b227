"""Pipelines as config.json writes them, in short."""

from collections.abc import Mapping
from typing import Any

from ovserve.config.pipeline import PipelineConfig

# config.pbtxt of an ensemble that asks only `m`, which takes and gives two numbers.
ENSEMBLE = """
platform: "ensemble"
input { name: "x" data_type: TYPE_FP32 dims: 2 }
output { name: "y" data_type: TYPE_FP32 dims: 2 }
ensemble_scheduling { step {
  model_name: "m" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } }
"""


def source(text: str) -> dict[str, str]:
    """`node.item` as a reference to a tensor."""
    node, _, item = text.partition(".")
    return {"node_name": node, "data_item": item}


def node(name: str, model: str = "", /, outputs: str = "y", **fields: Any) -> dict[str, Any]:
    """A node: what feeds each input by keyword `inputs`, its outputs as `item` or `item=alias`, blank separated."""
    inputs: Mapping[str, str] = fields.pop("inputs", {"x": "request.x"})
    pairs = [text.partition("=") for text in outputs.split()]
    kind = {"type": "custom"} if "library_name" in fields else {"type": "DL model", "model_name": model or "m"}
    return {
        "name": name,
        **kind,
        "inputs": [{key: source(text)} for key, text in inputs.items()],
        "outputs": [{"data_item": item, "alias": alias or item} for item, _, alias in pairs],
        **fields,
    }


def document(*nodes: Mapping[str, Any], inputs: str = "x", outputs: str = "", **fields: Any) -> dict[str, Any]:
    """A pipeline `p` whose outputs are written `name=node.item`, by default `y` of the last node."""
    last = nodes[-1] if nodes else {"name": "request", "outputs": [{"alias": "x"}]}
    pairs = [text.partition("=") for text in (outputs or f"y={last['name']}.{last['outputs'][0]['alias']}").split()]
    return {
        "name": "p",
        "inputs": inputs.split(),
        "nodes": list(nodes),
        "outputs": [{name: source(text)} for name, _, text in pairs],
        **fields,
    }


def pipeline(*nodes: Mapping[str, Any], **fields: Any) -> PipelineConfig:
    return PipelineConfig.model_validate(document(*nodes, **fields))
