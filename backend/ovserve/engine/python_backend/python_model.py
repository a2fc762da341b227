"""Models that are Python files with the interface of Triton's Python backend (spec K.5)."""

import inspect
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ovserve.config.declared import Document, TritonConfig
from ovserve.engine.python_backend import pb_utils
from ovserve.engine.python_backend.auto_complete import ModelConfig
from ovserve.engine.python_backend.declared_specs import declared_specs
from ovserve.engine.python_backend.foreign_code import Raised, call
from ovserve.engine.python_backend.loop_thread import LoopThread
from ovserve.engine.python_backend.pb_errors import NotSupported, TritonModelException
from ovserve.engine.python_backend.pb_requests import InferenceRequest
from ovserve.engine.python_backend.pb_tensor import received
from ovserve.engine.python_backend.private_imports import PrivateImports
from ovserve.engine.python_backend.python_answer import read_answer
from ovserve.engine.refused import Refused
from ovserve.errors import InferenceFailed, LoadFailed, Unsupported
from ovserve.observability.logs import get_logger
from ovserve.tensors import Tensor, TensorSpec

logger = get_logger("ovserve.python")

_CLASS = "TritonPythonModel"


class PythonModel:
    """One instance of a loaded model; `inputs`, of which some are `optional`, and `outputs` are what it declared."""

    def __init__(self, instance: Any, document: Document, imports: PrivateImports, name: str, version: int) -> None:
        self.inputs: tuple[TensorSpec, ...] = declared_specs(document, "input")
        self.outputs: tuple[TensorSpec, ...] = declared_specs(document, "output")
        self.optional = frozenset(tensor["name"] for tensor in document["input"] if tensor.get("optional"))
        self._instance = instance
        self._imports: PrivateImports | None = imports
        self._name = name
        self._version = version
        self._label = f"model '{name}' version {version}"
        self._loop: LoopThread | None = None

    def run(
        self, inputs: Mapping[str, Tensor], outputs: frozenset[str] | None, request_id: str = ""
    ) -> dict[str, Tensor]:
        """Execute one request and give the outputs named (None: all of them), in the order declared.

        Only one thread at a time may call it, with inputs that fit. Raises `InferenceFailed` for what the model raises
        or gives against its own declaration, and for an error that it answers the one that has its code.
        """
        wanted = [spec.name for spec in self.outputs if outputs is None or spec.name in outputs]
        given = [received(spec.name, inputs[spec.name]) for spec in self.inputs if spec.name in inputs]
        request = InferenceRequest(
            request_id=request_id,
            inputs=given,
            requested_output_names=wanted,
            model_name=self._name,
            model_version=self._version,
        )
        answered = self._execute(request)
        return read_answer(answered, self.outputs, wanted, [tensor.as_numpy() for tensor in given], self._label)

    def close(self) -> None:
        """Have the model finalize, and forget its modules; nothing may run any more."""
        imports, self._imports = self._imports, None
        if imports is None:
            return
        finalize = getattr(self._instance, "finalize", None)
        if finalize is not None:
            try:
                call(finalize)
            except Raised as error:
                logger.warning("finalize failed", model=self._name, cause=str(error), exc_info=error.__cause__)
        if self._loop is not None:
            self._loop.close()
        imports.close()

    def _execute(self, request: InferenceRequest) -> Any:
        try:
            answered = call(self._instance.execute, [request])
            return call(self._result_of, answered) if inspect.isawaitable(answered) else answered
        except Raised as error:
            logger.error("execute failed", model=self._name, cause=str(error), exc_info=error.__cause__)
            failure = Unsupported if isinstance(error.__cause__, NotSupported) else InferenceFailed
            raise failure(f"{self._label}: execute failed: {error}") from error

    def _result_of(self, awaitable: Any) -> Any:
        if self._loop is None:
            self._loop = LoopThread(f"{self._name}-loop")
        return self._loop.result_of(awaitable)


def load_python(file: Path, config: TritonConfig, *, name: str, version: int) -> PythonModel:
    """Load the model that `file` holds and initialize one instance; raises `LoadFailed` with the cause.

    The file may import what lies beside it and, in a version's folder, what lies in the model's folder; see
    `PrivateImports` for what that guarantees. `config.document` may leave the tensors to `auto_complete_config`.
    """
    if not file.is_file():
        raise LoadFailed(f"'{file.name}' is not there", file)
    # Of use to installed modules only: a model's own imports find the module made for it.
    sys.modules.setdefault(pb_utils.MODULE_NAME, pb_utils)
    imports = PrivateImports(_folders(file, version), {pb_utils.MODULE_NAME: pb_utils.for_model(name, file.parent)})
    try:
        return _load(file, config.document, imports, name, version)
    except Refused as error:
        imports.close()
        raise LoadFailed(f"'{file.name}': {error}", file) from error


def _load(file: Path, document: Document, imports: PrivateImports, name: str, version: int) -> PythonModel:
    module = _called("import", name, imports.load, file)
    kind = getattr(module, _CLASS, None)
    if not inspect.isclass(kind):
        raise Refused(f"it has no class {_CLASS}")
    if not callable(getattr(kind, "execute", None)):
        raise Refused(f"its class {_CLASS} has no method execute")
    completed = _called("auto_complete_config", name, _complete, kind, name, document)
    if pb_utils.using_decoupled_model_transaction_policy(completed):
        raise Refused("decoupled models are not supported yet")
    text = _called("auto_complete_config", name, json.dumps, completed)
    instance = _called("TritonPythonModel()", name, kind)
    model = PythonModel(instance, completed, imports, name, version)
    if hasattr(instance, "initialize"):
        _called("initialize", name, instance.initialize, _arguments(file, text, name, version))
    return model


def _called(what: str, name: str, function: Any, *arguments: Any) -> Any:
    """Call the model's code; raises `Refused`, and has the log tell where it failed."""
    try:
        return call(function, *arguments)
    except Raised as error:
        if not isinstance(error.__cause__, TritonModelException):
            logger.error("load failed", model=name, step=what, cause=str(error), exc_info=error.__cause__)
        raise Refused(f"{what} failed: {error}") from error


def _complete(kind: Any, name: str, document: Document) -> Document:
    """Let the model complete its configuration."""
    config = ModelConfig(name, document)
    if hasattr(kind, "auto_complete_config"):
        returned = kind.auto_complete_config(config)
        if returned is not config:
            raise TritonModelException(
                f"it must return the configuration that it was given, got {type(returned).__name__}"
            )
    return ModelConfig(name, config.as_dict()).as_dict()  # the model may have written into it


def _arguments(file: Path, config: str, name: str, version: int) -> dict[str, str]:
    """What `initialize` is given; weights are usually looked for in model_repository/model_version."""
    return {
        "model_config": config,
        "model_instance_kind": "CPU",
        "model_instance_name": f"{name}_0_0",
        "model_instance_device_id": "0",
        "model_repository": str(_folders(file, version)[-1]),
        "model_version": str(version),
        "model_name": name,
    }


def _folders(file: Path, version: int) -> list[Path]:
    """Where the file's modules lie: beside it and, if that is the version's folder, in the model's."""
    folder = file.absolute().parent
    with suppress(ValueError):
        if int(folder.name) == version:
            return [folder, folder.parent]
    return [folder]
