"""Has a model answer its samples before it serves."""

import math
import os
from pathlib import Path

import numpy as np

from ovserve import tensor_bytes
from ovserve.config.declared import Sample, SampleInput
from ovserve.config.warm_up import FOLDER
from ovserve.errors import LoadFailed, OVServeError
from ovserve.requests import InferRequest, InferResponse, InSequence, Patient
from ovserve.serving.sequences import KeepsSequences
from ovserve.serving.servable import Servable, Streaming
from ovserve.tensors import Array, DType, Tensor

_ID = 2**31 - 1  # every kind of CORRID input takes it


def warm_up(model: Servable, samples: tuple[Sample, ...], folder: Path) -> None:
    """Run `samples`, whose files lie in `folder`/warmup; raises `LoadFailed` for the first that fails (as Triton)."""
    metadata = model.metadata
    for sample in samples:
        try:
            inputs = {name: _tensor(wanted, folder / FOLDER) for name, wanted in sample.inputs.items()}
            # A sequence of its own, for a model whose requests come in such.
            at = InSequence(_ID, starts=True, ends=True) if isinstance(model, KeepsSequences) else None
            request = InferRequest(metadata.name, inputs, metadata.version, sequence=at)
            for _ in range(sample.count):
                _run(model, request)
        except OVServeError as error:
            raise LoadFailed(f"model_warmup '{sample.name}': {error}", folder) from error


def _run(model: Servable, request: InferRequest) -> None:
    if isinstance(model, Streaming):
        model.infer_stream(request, Patient(), _check)
    else:
        model.infer(request, Patient())


def _check(response: InferResponse | OVServeError | None, *, final: bool) -> None:  # noqa: ARG001 - as `SendResponse`
    if isinstance(response, OVServeError):
        raise response


def _tensor(wanted: SampleInput, folder: Path) -> Tensor:
    dtype, shape = wanted.dtype, wanted.shape
    if wanted.file_name:
        return Tensor(dtype, _from_file(wanted, folder))
    if wanted.is_random:
        return Tensor(dtype, _random(dtype, math.prod(shape)).reshape(shape))
    return Tensor(dtype, np.full(shape, b"", np.object_) if dtype is DType.BYTES else np.zeros(shape, dtype.numpy))


def _random(dtype: DType, count: int) -> Array:
    """Make values that are the same at every start: numbers from 0 to 1, whole ones of any size, short texts."""
    generator = np.random.default_rng(0)
    match dtype.numpy.kind:
        case "f":
            return generator.random(count).astype(dtype.numpy)
        case "b":
            return generator.integers(0, 2, count).astype(dtype.numpy)
        case "O":
            return np.array([str(number).encode() for number in generator.integers(0, 1000, count)], np.object_)
    if dtype is DType.BF16:
        return (generator.random(count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    limits = np.iinfo(dtype.numpy)
    return generator.integers(limits.min, limits.max, count, dtype.numpy, endpoint=True)


def _from_file(wanted: SampleInput, folder: Path) -> Array:
    path = folder / wanted.file_name
    name = f"{FOLDER}/{wanted.file_name}"
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder.parent)):
        raise LoadFailed(f"'{name}' is a link that leads out of the model's folder", path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadFailed(f"'{name}' cannot be read: {error.strerror}", path) from error
    return tensor_bytes.read(data, wanted.dtype, wanted.shape, f"'{name}'")
