"""OpenVINO models in Triton: the plug-in. Its work is ovserve's; `ovserve install-triton-backend` puts it in place."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import triton_python_backend_utils as pb_utils

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _without_path(function: FunctionT) -> FunctionT:
    """Keep the server's folders from clients: Triton tells them where an exception was raised."""
    function.__code__ = function.__code__.replace(co_filename="openvino_py/model.py")
    return function


@_without_path
def _imported() -> Any:
    try:
        from ovserve.frontends.triton import backend  # noqa: PLC0415 - says what is missing
    except ModuleNotFoundError as error:
        raise pb_utils.TritonModelException(
            f"the Python {sys.version.split()[0]} of Triton's stub has no module '{error.name}': install ovserve for it"
        ) from None
    return backend


class TritonPythonModel:
    """One instance of a model, in a process of its own (https://github.com/triton-inference-server/python_backend)."""

    @staticmethod
    @_without_path
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        completed = _imported().complete(pb_utils, auto_complete_model_config)
        if isinstance(completed, Exception):
            raise completed
        return completed

    @_without_path
    def initialize(self, args: dict[str, str]) -> None:
        opened = _imported().open_backend(pb_utils, args)
        if isinstance(opened, Exception):
            raise opened
        self._backend = opened

    def execute(self, requests: list[Any]) -> list[Any] | None:
        answers: list[Any] | None = self._backend.execute(requests)
        return answers

    def is_ready(self) -> bool:
        """Be ready as soon as there is an instance: initialize has loaded the model."""
        return True

    def finalize(self) -> None:
        self._backend.close()
