"""Triton's control inputs: inputs of the model that are told where in a sequence a request is. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ovserve.config.declared import Control, WrongTritonConfig
from ovserve.errors import InvalidInput
from ovserve.requests import InSequence
from ovserve.tensors import DType, Tensor, TensorSpec


def find(controls: Iterable[Control], inputs: Sequence[TensorSpec]) -> Mapping[Control, TensorSpec]:
    """Find the inputs that are meant; raises `WrongTritonConfig` for one that the model lacks."""
    specs = {spec.name: spec for spec in inputs}
    for control in controls:
        if control.input not in specs:
            raise WrongTritonConfig(
                f"sequence_batching: control_input '{control.input}' is no input of the model, which has "
                f"{', '.join(map(repr, specs))}"
            )
        if specs[control.input].dtype in (None, DType.BF16):
            raise WrongTritonConfig(
                f"sequence_batching: control_input '{control.input}' has datatype {specs[control.input].datatype}, "
                f"which no control has"
            )
    return {control: specs[control.input] for control in controls}


def tensors(controls: Mapping[Control, TensorSpec], at: InSequence, batch: int) -> dict[str, Tensor]:
    """Make the inputs for a request with `batch` rows; raises `InvalidInput` for an id that an input cannot hold."""
    says = {"START": at.starts, "READY": True, "END": at.ends}
    made = {}
    for control, spec in controls.items():
        value = at.id if control.kind == "CORRID" else control.values[says[control.kind]]
        made[control.input] = _filled(spec, value, batch)
    return made


def _filled(spec: TensorSpec, value: float | str, batch: int) -> Tensor:
    dtype = spec.dtype
    assert dtype is not None  # noqa: S101 - find saw to it
    shape = tuple(length if length >= 0 else batch if axis == 0 else 1 for axis, length in enumerate(spec.wire_shape))
    if dtype is DType.BYTES:
        return Tensor(dtype, np.full(shape, str(value).encode(), np.object_))
    if isinstance(value, str):
        raise InvalidInput(f"the sequence's id is text, but the model's input '{spec.name}' takes {dtype.kserve}")
    if dtype.numpy.kind in "iu":
        limits = np.iinfo(dtype.numpy)
        if not limits.min <= value <= limits.max:
            raise InvalidInput(
                f"the sequence's id is {value}, but the model's input '{spec.name}' takes {dtype.kserve}"
            )
        value = int(value)
    return Tensor(dtype, np.full(shape, value, dtype.numpy))
