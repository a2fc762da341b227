"""`ensemble_scheduling` of a Triton model configuration: a pipeline in other words (spec K.3). Pure."""

from collections.abc import Iterator, Sequence

from ovserve.config.declared import DeclaredTensor, Document, WrongTritonConfig
from ovserve.config.pipeline import REQUEST, DataSource, NodeConfig, NodeOutput, PipelineConfig

_LATEST = -1


def read_ensemble(
    document: Document, inputs: Sequence[DeclaredTensor], outputs: Sequence[DeclaredTensor]
) -> PipelineConfig:
    """Read the steps; a tensor of the ensemble goes by its own name. Raises `WrongTritonConfig`."""
    steps: Sequence[Document] = document["ensemble_scheduling"].get("step", ())
    if not steps:
        raise WrongTritonConfig("ensemble_scheduling has no step")
    sources = {tensor.name: REQUEST for tensor in inputs}
    names = list(_names(steps))
    for name, step in zip(names, steps, strict=True):
        for tensor in step.get("output_map", {}).values():
            if tensor in sources:
                raise WrongTritonConfig(f"ensemble_scheduling: tensor '{tensor}' comes from more than one place")
            sources[tensor] = name
    nodes = tuple(_node(name, step, sources) for name, step in zip(names, steps, strict=True))
    results = tuple({tensor.name: _source(tensor.name, sources, "an output")} for tensor in outputs)
    return PipelineConfig(
        name=str(document.get("name", "")) or "ensemble",
        inputs=tuple(tensor.name for tensor in inputs),
        outputs=results,
        nodes=nodes,
    )


def _names(steps: Sequence[Document]) -> Iterator[str]:
    """Name the steps by their models; a model that occurs again gets a number."""
    models = [str(step.get("model_name", "")) for step in steps]
    for index, model in enumerate(models):
        if not model:
            raise WrongTritonConfig(f"ensemble_scheduling: step {index + 1} has no model_name")
        before = models[:index].count(model)
        yield f"{model}#{before + 1}" if before else model


def _node(name: str, step: Document, sources: dict[str, str]) -> NodeConfig:
    if step.get("model_namespace"):
        raise WrongTritonConfig(f"ensemble_scheduling: step '{name}': model_namespace is not supported")
    version = int(step.get("model_version", _LATEST)) or _LATEST
    inputs: dict[str, str] = step.get("input_map", {})
    outputs: dict[str, str] = step.get("output_map", {})
    return NodeConfig(
        name=name,
        type="DL model",
        model_name=str(step["model_name"]),
        version=None if version == _LATEST else version,
        inputs=tuple({key: _source(tensor, sources, f"step '{name}'")} for key, tensor in inputs.items()),
        outputs=tuple(NodeOutput(data_item=key, alias=tensor) for key, tensor in outputs.items()),
    )


def _source(tensor: str, sources: dict[str, str], who: str) -> DataSource:
    if tensor not in sources:
        raise WrongTritonConfig(f"ensemble_scheduling: {who} needs tensor '{tensor}', which nothing gives")
    return DataSource(node_name=sources[tensor], data_item=tensor)
