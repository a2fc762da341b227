"""What a Python model answers -> tensors, checked against what the model declared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ovserve.engine.python_backend import pb_tensor
from ovserve.engine.python_backend.instance import Answer, Asked, Reply
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


class Reader:
    """Reads the responses of one model, which declared `specs`; `label` begins every sentence.

    Outputs that are missing are an error unless the model `may_omit` them: a decoupled one may. They are `copies`, or
    the model's own arrays.
    """

    def __init__(self, specs: Sequence[TensorSpec], label: str, *, may_omit: bool = False, copies: bool = True) -> None:
        self.label = label
        self._specs = specs
        self._declared = [spec.name for spec in specs]
        self._may_omit = may_omit
        self._copies = copies

    def read_all(self, answered: Any, requests: Sequence[Asked]) -> list[Reply | None]:
        """Read what `execute` returned: a reply, or None, for each of the requests."""
        if answered is None:
            return [None] * len(requests)
        if not isinstance(answered, list):
            found = f"execute must return a list of responses, got {type(answered).__name__}"
        elif len(answered) != len(requests):
            found = f"execute must return a response for each request, got {len(answered)} for {len(requests)}"
        else:
            return [
                None if one is None else self.read(one, asked) for one, asked in zip(answered, requests, strict=True)
            ]
        return [InferenceFailed(f"{self.label}: {found}") for _ in requests]

    def read(self, response: Any, asked: Asked) -> Reply:
        """Read one response; what is wrong with it, and the error that it holds, is an error for that request."""
        try:
            return self._read(response, asked)
        except OVServeError as error:
            return error

    def _read(self, response: Any, asked: Asked) -> Reply:
        if not isinstance(response, InferenceResponse):
            raise InferenceFailed(f"{self.label}: a response must be an InferenceResponse, got {_kind(response)}")
        error = response.error()
        if error is not None:
            raise _RAISED[error.code()](f"{self.label}: {error.message()}")
        found = self._by_name(response)
        missing = [name for name in asked.wanted if name not in found]
        if missing and not self._may_omit:
            raise InferenceFailed(f"{self.label}: output '{missing[0]}' is missing, got {_listed(found) or 'none'}")
        given = [tensor.data for tensor in asked.inputs.values()]
        outputs: dict[str, Tensor] = {}
        for spec in self._specs:
            if spec.name in asked.wanted and spec.name in found:
                tensor = _checked(found[spec.name], spec, f"{self.label}: output '{spec.name}'")
                outputs[spec.name] = _copy(tensor, given) if self._copies else tensor
        return Answer(outputs, response.given_parameters())

    def _by_name(self, response: InferenceResponse) -> dict[str, pb_tensor.Tensor]:
        found: dict[str, pb_tensor.Tensor] = {}
        for tensor in response.output_tensors():
            if tensor.name() not in self._declared:
                raise InferenceFailed(
                    f"{self.label}: it declares no output '{tensor.name()}', but {_listed(self._declared)}"
                )
            if tensor.name() in found:
                raise InferenceFailed(f"{self.label}: output '{tensor.name()}' is there twice")
            found[tensor.name()] = tensor
        return found


def _kind(thing: Any) -> str:
    return type(thing).__name__


def _checked(tensor: pb_tensor.Tensor, spec: TensorSpec, label: str) -> Tensor:
    array, dtype = tensor.as_numpy(), spec.dtype or tensor.dtype
    if array.dtype != dtype.numpy:
        raise InferenceFailed(f"{label} expects datatype {dtype.kserve}, got {array.dtype}")
    if not spec.admits(array.shape):
        raise InferenceFailed(f"{label} expects shape {shape_text(spec.dims or ())}, got {list_text(array.shape)}")
    if dtype is DType.BYTES:
        return Tensor(dtype, _as_bytes(array, label))
    return Tensor(dtype, array)


def _copy(tensor: Tensor, given: Sequence[Array]) -> Tensor:
    """Copy numbers: the model may write into its array again, for the next request, while this answer is being sent."""
    if tensor.dtype is DType.BYTES or _is_part_of(tensor.data, given):
        return tensor
    return Tensor(tensor.dtype, np.array(tensor.data, copy=True, order="C"))


def sendable(tensor: pb_tensor.Tensor, label: str) -> Tensor:
    """Make a tensor that can be sent to another model; raises `InferenceFailed` for a text that is none."""
    array = tensor.as_numpy()
    if tensor.dtype is DType.BYTES:
        return Tensor(DType.BYTES, _as_bytes(array, label))
    return Tensor(tensor.dtype, np.ascontiguousarray(array).reshape(array.shape))


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
