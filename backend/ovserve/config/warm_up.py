"""`model_warmup` of a Triton model configuration: requests that a model answers before it serves (spec K.3). Pure."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovserve.config.declared import DeclaredTensor, Document, Sample, SampleInput, WrongTritonConfig
from ovserve.tensors import BY_KSERVE, DType, Shape, shape_text

FOLDER = "warmup"

_MOST_BYTES = 1 << 30
_MOST_RUNS = 1000


def read_samples(document: Document, max_batch_size: int, inputs: tuple[DeclaredTensor, ...]) -> tuple[Sample, ...]:
    """Read the samples; raises `WrongTritonConfig` that names the sample and the input."""
    reshaped = {tensor.name: tensor.model_dims for tensor in inputs if tensor.reshape is not None}
    return tuple(_sample(sample, max_batch_size, reshaped) for sample in document.get("model_warmup", ()))


def _sample(document: Document, max_batch_size: int, reshaped: Mapping[str, Shape]) -> Sample:
    label = f"model_warmup '{document.get('name', '')}'"
    batch_size = int(document.get("batch_size", 0)) or 1
    if batch_size > max(1, max_batch_size):
        raise WrongTritonConfig(f"{label}: batch_size is {batch_size}, max_batch_size {max_batch_size}")
    count = int(document.get("count", 0)) or 1
    if count > _MOST_RUNS:
        raise WrongTritonConfig(f"{label}: count is {count}, expected at most {_MOST_RUNS}")
    batch = (batch_size,) if max_batch_size > 0 else ()
    inputs = {
        name: _input(f"{label}: input '{name}'", given, batch, reshaped.get(name))
        for name, given in document.get("inputs", {}).items()
    }
    if not inputs:
        raise WrongTritonConfig(f"{label} has no inputs")
    return Sample(str(document.get("name", "")), inputs, count)


def _input(label: str, document: Document, batch: Shape, reshaped: Shape | None) -> SampleInput:
    kind = str(document.get("data_type", "")).removeprefix("TYPE_")
    dtype = DType.BYTES if kind == "STRING" else BY_KSERVE.get(kind)
    if dtype is None:
        raise WrongTritonConfig(f"{label} has no data_type")
    dims = tuple(map(int, document.get("dims", ())))
    shape = batch + (dims if reshaped is None else reshaped)
    if any(length < 0 for length in shape):
        raise WrongTritonConfig(f"{label} has dims {shape_text(dims)}, expected every one to be 0 or more")
    if math.prod(shape) * dtype.numpy.itemsize > _MOST_BYTES:
        raise WrongTritonConfig(f"{label} has dims {shape_text(dims)}, expected at most {_MOST_BYTES} bytes")
    given = [key for key in ("zero_data", "random_data", "input_data_file") if document.get(key)]
    if len(given) != 1:
        raise WrongTritonConfig(
            f"{label}: expected one of zero_data, random_data and input_data_file, got {len(given)}"
        )
    return SampleInput(dtype, shape, given == ["random_data"], _file_name(label, document.get("input_data_file", "")))


def _file_name(label: str, name: Any) -> str:
    text = str(name)
    if text and (Path(text).is_absolute() or ".." in Path(text).parts):
        raise WrongTritonConfig(f"{label}: input_data_file '{text}' is not a file in the folder {FOLDER}")
    return text
