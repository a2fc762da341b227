"""Answers requests that hold no strings at all, without running the model.

A model fed with zero strings fails, or leaves whatever an earlier request left in its output (StringTensorPack and
StringTensorUnpack in OpenVINO 2026.4), so such a request is answered from shape inference alone.
"""

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import openvino as ov

from ovserve.engine.reasons import reason
from ovserve.errors import InferenceFailed, InvalidInput
from ovserve.tensors import DType, Tensor, TensorSpec


class DryRun:
    """Shape inference on a model of its own; one at a time."""

    def __init__(self, model: ov.Model, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self._model = model
        self._inputs = inputs
        self._outputs = outputs
        self._lock = threading.Lock()

    def concerns(self, inputs: Mapping[str, Tensor]) -> bool:
        return any(tensor.dtype is DType.BYTES and tensor.data.size == 0 for tensor in inputs.values())

    def run(self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None) -> dict[str, Tensor]:
        """Answer with empty outputs; raises `InvalidInput` where an output would hold values."""
        shapes = {index: ov.PartialShape(list(inputs[spec.name].shape)) for index, spec in enumerate(self._inputs)}
        with self._lock:
            try:
                self._model.reshape(shapes)
            except RuntimeError as error:
                raise InferenceFailed(reason(error)) from error
            found = [output.partial_shape for output in self._model.outputs]
        return {
            spec.name: _empty(spec, shape)
            for spec, shape in zip(self._outputs, found, strict=True)
            if outputs is None or spec.name in outputs
        }


def _empty(spec: TensorSpec, shape: ov.PartialShape) -> Tensor:
    if shape.is_dynamic or 0 not in shape.to_shape():
        raise InvalidInput(f"the request holds no strings, from which output '{spec.name}' cannot be computed")
    assert spec.dtype is not None  # noqa: S101 - a model's tensors have one
    return Tensor(spec.dtype, np.empty(tuple(shape.to_shape()), spec.dtype.numpy))
