"""OVMS's form of a request in a sequence: two inputs and one output more than the model has (spec J.4). Pure.

Over KServe the request's parameters say the same, in Triton's words; which of the two is for the client to choose.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ovserve.errors import InvalidInput, NotInSequence
from ovserve.requests import InferRequest, InSequence
from ovserve.tensors import Dim, DType, Tensor, TensorSpec

ID = "sequence_id"
CONTROL = "sequence_control_input"
_GO_ON, _START, _END = 0, 1, 2
_WHOLE = frozenset({DType.UINT64, DType.INT64, DType.UINT32, DType.INT32})  # JSON without the model's word has INT64

INPUTS = (
    TensorSpec(ID, DType.UINT64, (Dim(1, 1),)),
    TensorSpec(CONTROL, DType.UINT32, (Dim(1, 1),)),
)


def read(request: InferRequest, label: str) -> InferRequest:
    """Take the two inputs, where they are, out of `request`, and say by its `sequence` what they say.

    The output that tells the id is in every answer, asked for or not. Raises `NotInSequence` for a request that does
    not say which sequence it belongs to, `InvalidInput` for values of another kind.
    """
    inputs = {name: tensor for name, tensor in request.inputs.items() if name not in (ID, CONTROL)}
    outputs = request.outputs
    if outputs is not None and ID in outputs:
        outputs -= {ID}
    at = request.sequence
    if len(inputs) < len(request.inputs):
        if at is not None:
            raise InvalidInput(f"{label}: the sequence is given by parameters and by inputs; expected one of them")
        at = _place(request.inputs, label)
    if at is None or not (at.id or at.starts):
        raise NotInSequence(f"Sequence ID has not been provided in request inputs - {label} is stateful")
    if isinstance(at.id, str):
        raise InvalidInput(f"{label}: the sequence's id is text, expected a whole number from 1 to 2^64-1")
    return request._replace(inputs=inputs, outputs=outputs, sequence=at)


def _place(inputs: Mapping[str, Tensor], label: str) -> InSequence:
    control = _number(inputs, CONTROL, label)
    if control not in (_GO_ON, _START, _END):
        raise InvalidInput(
            f"Unexpected value of sequence control input - {label}: got {control}, "
            f"expected 0 (go on), 1 (start) or 2 (end)"
        )
    return InSequence(_number(inputs, ID, label), starts=control == _START, ends=control == _END)


def _number(inputs: Mapping[str, Tensor], name: str, label: str) -> int:
    tensor = inputs.get(name)
    if tensor is None:
        return 0
    if tensor.dtype not in _WHOLE or tensor.data.size != 1:
        expected = next(spec.datatype for spec in INPUTS if spec.name == name)
        raise InvalidInput(
            f"{label}: input '{name}' has datatype {tensor.dtype.kserve} and shape {list(tensor.shape)}, "
            f"expected {expected} [1]"
        )
    value = int(tensor.data.item())
    if value < 0:
        raise InvalidInput(f"{label}: input '{name}' is {value}, expected a whole number from 0 on")
    return value


def output(name: Any) -> Tensor:
    """Write the id for an answer."""
    return Tensor(DType.UINT64, np.array([name], np.uint64))
