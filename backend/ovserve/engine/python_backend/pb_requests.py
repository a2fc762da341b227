"""Requests and responses, as a Python model knows them from `triton_python_backend_utils`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ovserve.engine.python_backend.pb_errors import NotSupported, TritonError
from ovserve.engine.python_backend.pb_tensor import Tensor


class InferenceRequest:
    def __init__(  # noqa: PLR0917 - as in Triton
        self,
        request_id: str = "",
        correlation_id: int | str = 0,
        inputs: Sequence[Tensor] = (),
        requested_output_names: Iterable[str] = (),
        model_name: str = "",
        model_version: int = -1,
        flags: int = 0,
        timeout: int = 0,
        parameters: Mapping[str, Any] | None = None,
        **_others: Any,
    ) -> None:
        self._request_id = request_id
        self._correlation_id = correlation_id
        self._inputs = list(inputs)
        self._outputs = set(requested_output_names)
        self._model_name = model_name
        self._model_version = model_version
        self._flags = flags
        self._timeout = timeout
        self._parameters = json.dumps(dict(parameters or {}))

    def inputs(self) -> list[Tensor]:
        return self._inputs

    def request_id(self) -> str:
        return self._request_id

    def correlation_id(self) -> int | str:
        return self._correlation_id

    def requested_output_names(self) -> set[str]:
        return self._outputs

    def model_name(self) -> str:
        return self._model_name

    def model_version(self) -> int:
        return self._model_version

    def flags(self) -> int:
        return self._flags

    def set_flags(self, flags: int) -> None:
        self._flags = flags

    def timeout(self) -> int:
        """Microseconds; 0 is without limit."""
        return self._timeout

    def parameters(self) -> str:
        """JSON text, as Triton gives it."""
        return self._parameters

    def is_cancelled(self) -> bool:
        return False

    def exec(self, *_: Any, **__: Any) -> NoReturn:
        raise NotSupported("InferenceRequest.exec")

    def async_exec(self, *_: Any, **__: Any) -> NoReturn:
        raise NotSupported("InferenceRequest.async_exec")

    def get_response_sender(self) -> NoReturn:
        raise NotSupported("InferenceRequest.get_response_sender")

    def set_release_flags(self, _flags: int) -> NoReturn:
        raise NotSupported("InferenceRequest.set_release_flags")

    def trace(self) -> NoReturn:
        raise NotSupported("InferenceRequest.trace")


class InferenceResponse:
    def __init__(
        self,
        output_tensors: Sequence[Tensor] = (),
        error: TritonError | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        for tensor in output_tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"output_tensors takes tensors, got {type(tensor).__name__}")
        if error is not None and not isinstance(error, TritonError):
            raise TypeError(f"error takes a TritonError, got {type(error).__name__}")
        if parameters:
            raise NotSupported("InferenceResponse with parameters")
        self._tensors = list(output_tensors)
        self._error = error

    def output_tensors(self) -> list[Tensor]:
        return self._tensors

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error
