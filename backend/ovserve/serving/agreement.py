"""Whether a Triton configuration and the model agree, and what the configuration leaves to the model. Pure."""

from collections.abc import Sequence
from typing import Any

from ovserve.config.declared import DeclaredTensor, TritonConfig, WrongTritonConfig
from ovserve.requests import Metadata
from ovserve.tensors import Dim, DType, TensorSpec, list_text, shape_text

# Triton carries no tensor without dimensions, except beside a batch: a scalar travels as one element.
AS_SCALAR = (1,)


def check(config: TritonConfig, metadata: Metadata) -> None:
    """Raise `WrongTritonConfig` where the configuration declares what the model is not (spec K.1)."""
    if config.max_batch_size > 0:
        for what, specs in (("input", metadata.inputs), ("output", metadata.outputs)):
            for spec in specs:
                _check_batch(config.max_batch_size, spec, what)
    if config.inputs and len(config.inputs) != len(metadata.inputs):
        raise WrongTritonConfig(
            f"configuration expects {len(config.inputs)} inputs, model provides {len(metadata.inputs)}"
        )
    for tensor in config.inputs:
        _check_tensor(config, tensor, metadata.inputs, "input")
    for tensor in config.outputs:
        _check_tensor(config, tensor, metadata.outputs, "output")


def missing(declared: Sequence[DeclaredTensor], specs: Sequence[TensorSpec], max_batch_size: int) -> list[Any]:
    """Declare, as Triton's JSON, the tensors that the configuration leaves to the model."""
    complete = {tensor.name for tensor in declared if tensor.is_complete}
    wanted = {tensor.name for tensor in declared} or {spec.name for spec in specs}
    return [_declaration(spec, max_batch_size) for spec in specs if spec.name in wanted - complete]


def _declaration(spec: TensorSpec, max_batch_size: int) -> dict[str, Any]:
    dims = spec.wire_shape[1:] if max_batch_size > 0 else spec.wire_shape
    return {"name": spec.name, "data_type": type_name(spec.dtype), "dims": dims or list(AS_SCALAR)}


def type_name(dtype: DType | None) -> str:
    if dtype is None:
        return "TYPE_INVALID"
    return "TYPE_STRING" if dtype is DType.BYTES else f"TYPE_{dtype.kserve}"


def _check_batch(most: int, spec: TensorSpec, what: str) -> None:
    dims = spec.dims
    if dims is None:
        return
    first = dims[0] if dims else None
    if first is None or spec.batch_axis != 0 or not (first.admits(1) and first.admits(most)):
        raise WrongTritonConfig(
            f"max_batch_size {most} needs 1 to {most} as the first dimension of every tensor, "
            f"but {what} '{spec.name}' has shape {shape_text(dims)}; use max_batch_size: 0"
        )


def _check_tensor(config: TritonConfig, tensor: DeclaredTensor, specs: Sequence[TensorSpec], what: str) -> None:
    spec = next((spec for spec in specs if spec.name == tensor.name), None)
    if spec is None:
        names = ", ".join(f"'{spec.name}'" for spec in specs)
        raise WrongTritonConfig(f"configuration has an {what} '{tensor.name}', model provides {names}")
    if tensor.dtype not in (None, spec.dtype):
        raise WrongTritonConfig(
            f"configuration expects datatype {type_name(tensor.dtype)} for {what} '{tensor.name}', "
            f"model provides {type_name(spec.dtype)}"
        )
    if spec.dims is None or not tensor.dims:
        return
    dims = spec.dims[1:] if config.max_batch_size > 0 else spec.dims
    if not dims and tensor.model_dims == AS_SCALAR:
        return
    if len(dims) != len(tensor.model_dims) or not all(map(_fits, dims, tensor.model_dims)):
        raise WrongTritonConfig(
            f"configuration expects dims {list_text(tensor.model_dims)} for {what} '{tensor.name}', "
            f"model provides {shape_text(dims)}"
        )


def _fits(dim: Dim, declared: int) -> bool:
    return not dim.is_static if declared < 0 else dim.admits(declared)
