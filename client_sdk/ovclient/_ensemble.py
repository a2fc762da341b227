"""A Triton ensemble as a pipeline: its steps name models, and tensors that join them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from tritonclient.grpc import model_config_pb2

from ovclient._types import ModelMetadata, TensorMetadata
from ovclient.pipeline import REQUEST, RESPONSE, Pipeline, PipelineEdge, PipelineNode, PipelineTensor

Member = tuple[str, str]
"""A step's model and version; "" is the version served by default."""

_DATATYPES = {"STRING": "BYTES", "INVALID": ""}


def members(config: Any) -> tuple[Member, ...]:
    """The models of an ensemble's steps; none if `config` is no ensemble's."""
    return tuple(dict.fromkeys(map(_member, config.ensemble_scheduling.step)))


def ensemble(config: Any, known: Mapping[Member, ModelMetadata | None]) -> Pipeline:
    """The graph of an ensemble; steps have no names of their own and are named after their models.

    `known` gives the shapes of members whose metadata was had. Raises ValueError for a tensor that nothing makes.
    """
    steps = list(zip(_names(config), config.ensemble_scheduling.step, strict=True))
    inputs, outputs = (tuple(_tensors(config, messages)) for messages in (config.input, config.output))
    made = {tensor.name: (REQUEST, tensor) for tensor in inputs}
    for name, step in steps:
        model = known.get(_member(step))
        for output, tensor in step.output_map.items():
            made[tensor] = name, _found(model.outputs if model else (), output)
    edges = [_edge(config, made, tensor, name, wanted) for name, tensor, wanted in _ways(steps, outputs, known)]
    nodes = tuple(PipelineNode(name, "model", step.model_name, _version(step)) for name, step in steps)
    return Pipeline(config.name, inputs, outputs, nodes, tuple(edges))


def _ways(
    steps: list[tuple[str, Any]], outputs: tuple[PipelineTensor, ...], known: Mapping[Member, ModelMetadata | None]
) -> Iterator[tuple[str, str, PipelineTensor]]:
    """For each input of each step and each output of the ensemble: the node, the tensor's name, what is wanted."""
    for name, step in steps:
        model = known.get(_member(step))
        for wanted, tensor in step.input_map.items():
            yield name, tensor, _found(model.inputs if model else (), wanted)
    for output in outputs:
        yield RESPONSE, output.name, output


def _edge(
    config: Any, made: Mapping[str, tuple[str, PipelineTensor]], tensor: str, target: str, wanted: PipelineTensor
) -> PipelineEdge:
    if tensor not in made:
        raise ValueError(f"no step of ensemble '{config.name}' makes tensor '{tensor}'")
    source, given = made[tensor]
    datatype, shape = wanted.datatype or given.datatype, _both(wanted.shape, given.shape)
    return PipelineEdge(source, given.name, target, wanted.name, datatype, shape)


def _both(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """What is known of a shape from both ends of an edge."""
    if one is None or other is None or len(one) != len(other):
        return other if one is None else one
    return tuple(theirs if ours < 0 else ours for ours, theirs in zip(one, other, strict=True))


def _names(config: Any) -> list[str]:
    names: list[str] = []
    for step in config.ensemble_scheduling.step:
        name, number = step.model_name, 1
        while name in (REQUEST, RESPONSE, *names):
            number += 1
            name = f"{step.model_name} ({number})"
        names.append(name)
    return names


def _tensors(config: Any, messages: Any) -> Iterator[PipelineTensor]:
    batch = (-1,) if config.max_batch_size > 0 else ()  # a configuration leaves the batch out of its shapes
    for message in messages:
        name = model_config_pb2.DataType.Name(message.data_type).removeprefix("TYPE_")
        yield PipelineTensor(message.name, _DATATYPES.get(name, name), (*batch, *message.dims))


def _found(tensors: tuple[TensorMetadata, ...], name: str) -> PipelineTensor:
    found = next((tensor for tensor in tensors if tensor.name == name), None)
    return PipelineTensor(name) if found is None else PipelineTensor(name, found.datatype, found.shape)


def _member(step: Any) -> Member:
    version = _version(step)
    return step.model_name, "" if version is None else str(version)


def _version(step: Any) -> int | None:
    return step.model_version if step.model_version > 0 else None
