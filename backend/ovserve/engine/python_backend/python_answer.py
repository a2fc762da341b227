"""What `execute` of a Python model returns -> tensors, checked against what the model declared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ovserve.engine.python_backend import pb_tensor
from ovserve.engine.python_backend.pb_errors import TritonErrorCode
from ovserve.engine.python_backend.pb_requests import InferenceResponse
from ovserve.errors import Cancelled, InferenceFailed, InvalidInput, NotFound, NotReady, OVServeError, Unsupported
from ovserve.tensors import Array, DType, Tensor, TensorSpec, list_text, shape_text

_RAISED: Mapping[TritonErrorCode, type[OVServeError]] = {
    TritonErrorCode.UNKNOWN: InferenceFailed,
    TritonErrorCode.INTERNAL: InferenceFailed,
    TritonErrorCode.NOT_FOUND: NotFound,
    TritonErrorCode.INVALID_ARG: InvalidInput,
    TritonErrorCode.UNAVAILABLE: NotReady,
    TritonErrorCode.UNSUPPORTED: Unsupported,
    TritonErrorCode.ALREADY_EXISTS: InferenceFailed,
    TritonErrorCode.CANCELLED: Cancelled,
}


def read_answer(
    answered: Any, specs: Sequence[TensorSpec], wanted: Collection[str], given: Sequence[Array], label: str
) -> dict[str, Tensor]:
    """Take the outputs `wanted` out of the answer to one request; `given` are the request's arrays.

    Raises the error that the answer holds, or `InferenceFailed` that says what is wrong with it.
    """
    response = _only_response(answered, label)
    error = response.error()
    if error is not None:
        raise _RAISED[error.code()](f"{label}: {error.message()}")
    found: dict[str, pb_tensor.Tensor] = {}
    declared = [spec.name for spec in specs]
    for tensor in response.output_tensors():
        if tensor.name() not in declared:
            raise InferenceFailed(f"{label}: it declares no output '{tensor.name()}', but {_listed(declared)}")
        if tensor.name() in found:
            raise InferenceFailed(f"{label}: output '{tensor.name()}' is there twice")
        found[tensor.name()] = tensor
    missing = [name for name in declared if name in wanted and name not in found]
    if missing:
        raise InferenceFailed(f"{label}: output '{missing[0]}' is missing, got {_listed(found) or 'none'}")
    return {
        spec.name: _checked(found[spec.name], spec, given, f"{label}: output '{spec.name}'")
        for spec in specs
        if spec.name in wanted
    }


def _only_response(answered: Any, label: str) -> InferenceResponse:
    if not isinstance(answered, list):
        raise InferenceFailed(f"{label}: execute must return a list of responses, got {type(answered).__name__}")
    if len(answered) != 1:
        raise InferenceFailed(f"{label}: execute must return a response for each request, got {len(answered)} for 1")
    if not isinstance(answered[0], InferenceResponse):
        raise InferenceFailed(f"{label}: a response must be an InferenceResponse, got {type(answered[0]).__name__}")
    return answered[0]


def _checked(tensor: pb_tensor.Tensor, spec: TensorSpec, given: Sequence[Array], label: str) -> Tensor:
    array, dtype = tensor.as_numpy(), spec.dtype or tensor.dtype
    if array.dtype != dtype.numpy:
        raise InferenceFailed(f"{label} expects datatype {dtype.kserve}, got {array.dtype}")
    if not spec.admits(array.shape):
        raise InferenceFailed(f"{label} expects shape {shape_text(spec.dims or ())}, got {list_text(array.shape)}")
    if dtype is DType.BYTES:
        return Tensor(dtype, _as_bytes(array, label))
    # The model may write into its array again: for the next request, while this answer is being sent.
    return Tensor(dtype, array if _is_part_of(array, given) else np.array(array, copy=True, order="C"))


def _as_bytes(array: Array, label: str) -> Array:
    texts = np.empty(array.shape, np.object_)
    for index, text in np.ndenumerate(array):
        if isinstance(text, str):
            texts[index] = _encoded(text, label)
        elif isinstance(text, bytes):
            texts[index] = bytes(text)
        else:
            raise InferenceFailed(f"{label} expects bytes or str in every place, got {type(text).__name__}")
    return texts


def _encoded(text: str, label: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InferenceFailed(f"{label}: text is not valid Unicode ({error.reason})") from error


def _is_part_of(array: Array, given: Sequence[Array]) -> bool:
    """Tell whether the memory is a request's, in which nobody writes."""
    owner = _owner(array)
    return any(owner is _owner(one) for one in given)


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
