"""A fake `triton_python_backend_utils`: what the plug-in uses of it, no more."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class TritonModelException(Exception):
    pass


class TritonError:
    """Codes are their own names."""

    UNKNOWN = "UNKNOWN"
    INTERNAL = "INTERNAL"
    NOT_FOUND = "NOT_FOUND"
    INVALID_ARG = "INVALID_ARG"
    UNAVAILABLE = "UNAVAILABLE"
    UNSUPPORTED = "UNSUPPORTED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CANCELLED = "CANCELLED"

    def __init__(self, message: str, code: str = INTERNAL) -> None:
        self.message, self.code = message, code


class Tensor:
    """A tensor; `forgetful` is a stub that does not know its NumPy."""

    forgetful = False

    def __init__(self, name: str, array: np.ndarray) -> None:
        self._name, self._array = name, array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> np.ndarray:
        return self._array

    def to_dlpack(self) -> object:
        return self._array.__dlpack__()

    @classmethod
    def from_dlpack(cls, name: str, capsule: object) -> "Tensor":
        array = np.from_dlpack(_Exporter(capsule))
        return cls(name, np.zeros_like(array) if cls.forgetful else array)


class _Exporter:
    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: object) -> object:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


class InferenceResponse:
    def __init__(self, output_tensors: list[Tensor] | None = None, error: TritonError | None = None) -> None:
        self.outputs = {tensor.name(): tensor.as_numpy() for tensor in output_tensors or ()}
        self.error = error


class Sender:
    """Takes one answer; fails as often as told to."""

    def __init__(self, failures: int) -> None:
        self.response: InferenceResponse | None = None
        self.answered = threading.Event()
        self._failures = failures

    def send(self, response: InferenceResponse, flags: int) -> None:
        assert flags == TRITONSERVER_RESPONSE_COMPLETE_FINAL
        assert self.response is None
        if self._failures:
            self._failures -= 1
            raise TritonModelException("no room")
        self.response = response
        self.answered.set()


class Request:
    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        outputs: set[str] | None = None,
        *,
        sends: bool = True,
        failures: int = 0,
    ) -> None:
        self._tensors = [Tensor(name, array) for name, array in arrays.items()]
        self._outputs = outputs or set()
        self._sends = sends
        self.sender = Sender(failures)

    def inputs(self) -> list[Tensor]:
        return self._tensors

    def requested_output_names(self) -> set[str]:
        return self._outputs

    def get_response_sender(self) -> Sender:
        if not self._sends:
            raise TritonModelException("only when the model is using the decoupled transaction policy")
        return self.sender

    @property
    def answer(self) -> InferenceResponse:
        assert self.sender.answered.wait(30)
        assert self.sender.response is not None
        return self.sender.response


class ModelConfig:
    """The configuration to complete."""

    def __init__(self, **fields: object) -> None:
        self._document = {"max_batch_size": 0, "input": [], "output": [], **fields}

    def as_dict(self) -> dict[str, object]:
        return self._document

    def set_dynamic_batching(self) -> None:
        self._document["dynamic_batching"] = {}


class Logger:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def log_info(self, line: str) -> None:
        self.lines.append(("info", line))

    def log_warn(self, line: str) -> None:
        self.lines.append(("warn", line))

    def log_error(self, line: str) -> None:
        self.lines.append(("error", line))


TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1


class Pb:
    """The module, for a model whose files lie in `folder`."""

    TritonModelException = TritonModelException
    TritonError = TritonError
    Tensor = Tensor
    InferenceResponse = InferenceResponse
    TRITONSERVER_RESPONSE_COMPLETE_FINAL = TRITONSERVER_RESPONSE_COMPLETE_FINAL

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.Logger = Logger()

    def get_model_dir(self) -> str:
        return str(self._folder)


def args(**fields: object) -> dict[str, str]:
    """What `initialize` is given."""
    return {"model_name": "m", "model_version": "3", "model_config": json.dumps({"name": "m", **fields})}
