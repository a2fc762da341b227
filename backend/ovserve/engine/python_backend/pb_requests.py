"""Requests and responses, as a Python model knows them from `triton_python_backend_utils`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ovserve.engine.python_backend.pb_errors import TritonError
from ovserve.engine.python_backend.pb_memory import InferenceTrace, PreferredMemory
from ovserve.engine.python_backend.pb_tensor import Tensor
from ovserve.requests import Parameter


class InferenceRequest:
    """What both kinds have: those that a model gets, and those that it makes itself."""

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
        preferred_memory: PreferredMemory | None = None,
        trace: InferenceTrace | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        priority: int = 0,
    ) -> None:
        self._request_id = str(request_id)
        self._correlation_id = correlation_id
        self._inputs = _checked_tensors("inputs", inputs)
        self._outputs = {str(name) for name in requested_output_names}
        self._model_name = str(model_name)
        self._model_version = int(model_version)
        self._flags = int(flags)
        self._timeout = int(timeout)
        self._preferred_memory = preferred_memory or PreferredMemory()
        self._trace = trace or InferenceTrace()
        self._parameters = checked_parameters(parameters)
        self._priority = int(priority)

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
        self._flags = int(flags)

    def timeout(self) -> int:
        """Microseconds; 0 is without limit."""
        return self._timeout

    def priority(self) -> int:
        return self._priority

    def preferred_memory(self) -> PreferredMemory:
        return self._preferred_memory

    def trace(self) -> InferenceTrace:
        return self._trace

    def parameters(self) -> str:
        """JSON text, as Triton gives it."""
        return json.dumps(self._parameters)

    def is_cancelled(self) -> bool:
        return False


class InferenceResponse:
    def __init__(
        self,
        output_tensors: Sequence[Tensor] = (),
        error: TritonError | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if error is not None and not isinstance(error, TritonError):
            raise TypeError(f"error takes a TritonError, got {type(error).__name__}")
        self._tensors = _checked_tensors("output_tensors", output_tensors)
        self._error = error
        self._parameters = checked_parameters(parameters)

    def output_tensors(self) -> list[Tensor]:
        return self._tensors

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error

    def parameters(self) -> str:
        """JSON text."""
        return json.dumps(self._parameters)

    def given_parameters(self) -> dict[str, Parameter]:  # Triton's has none
        return self._parameters


def _checked_tensors(what: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{what} takes tensors, got {type(tensor).__name__}")
    return list(tensors)


def checked_parameters(parameters: Mapping[str, Any] | None) -> dict[str, Parameter]:
    """Copy parameters; raises `TypeError` for a value that no protocol carries."""
    for name, value in (parameters or {}).items():
        if not isinstance(name, str) or not isinstance(value, bool | int | float | str):
            raise TypeError(
                f"parameters take texts, whole numbers, numbers and booleans by name, "
                f"got {type(value).__name__} for {name!r}"
            )
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"parameter '{name}' is {value}, which no 64 bits hold")
    return dict(parameters or {})
