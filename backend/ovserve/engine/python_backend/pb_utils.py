"""What a Python model finds as `triton_python_backend_utils`.

The names, and what they take and give, are those of Triton's Python backend
(https://github.com/triton-inference-server/python_backend). What is not there yet raises `NotSupported`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from ovserve.engine.python_backend import pb_metrics, received_request, response_sender
from ovserve.engine.python_backend.auto_complete import ModelConfig
from ovserve.engine.python_backend.instance import Host
from ovserve.engine.python_backend.pb_bytes import deserialize_bytes_tensor, serialize_byte_tensor
from ovserve.engine.python_backend.pb_calls import Caller, CallingRequest
from ovserve.engine.python_backend.pb_errors import NotSupported, TritonError, TritonErrorCode, TritonModelException
from ovserve.engine.python_backend.pb_logger import LogLevel, ModelLogger
from ovserve.engine.python_backend.pb_memory import (
    TRITONSERVER_MEMORY_CPU,
    TRITONSERVER_MEMORY_CPU_PINNED,
    TRITONSERVER_MEMORY_GPU,
    InferenceTrace,
    MemoryType,
    PreferredMemory,
)
from ovserve.engine.python_backend.pb_requests import InferenceRequest, InferenceResponse
from ovserve.engine.python_backend.pb_tensor import (
    TRITON_STRING_TO_NUMPY,
    Tensor,
    numpy_to_triton_type,
    triton_string_to_numpy,
    triton_to_numpy_type,
)

__all__ = [
    "TRITONSERVER_MEMORY_CPU",
    "TRITONSERVER_MEMORY_CPU_PINNED",
    "TRITONSERVER_MEMORY_GPU",
    "TRITONSERVER_REQUEST_FLAG_SEQUENCE_END",
    "TRITONSERVER_REQUEST_FLAG_SEQUENCE_START",
    "TRITONSERVER_REQUEST_RELEASE_ALL",
    "TRITONSERVER_REQUEST_RELEASE_RESCHEDULE",
    "TRITONSERVER_RESPONSE_COMPLETE_FINAL",
    "TRITON_STRING_TO_NUMPY",
    "InferenceRequest",
    "InferenceResponse",
    "InferenceTrace",
    "LogLevel",
    "Logger",
    "MemoryType",
    "MetricFamily",
    "ModelConfig",
    "PreferredMemory",
    "Tensor",
    "TritonError",
    "TritonErrorCode",
    "TritonModelException",
    "deserialize_bytes_tensor",
    "get_input_config_by_name",
    "get_input_tensor_by_name",
    "get_output_config_by_name",
    "get_output_tensor_by_name",
    "is_model_ready",
    "load_model",
    "numpy_to_triton_type",
    "serialize_byte_tensor",
    "triton_string_to_numpy",
    "triton_to_numpy_type",
    "unload_model",
    "using_decoupled_model_transaction_policy",
]

MODULE_NAME = "triton_python_backend_utils"

TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = received_request.SEQUENCE_START
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = received_request.SEQUENCE_END
TRITONSERVER_RESPONSE_COMPLETE_FINAL = response_sender.FINAL
TRITONSERVER_REQUEST_RELEASE_ALL = received_request.RELEASE_ALL
TRITONSERVER_REQUEST_RELEASE_RESCHEDULE = received_request.RELEASE_RESCHEDULE

Logger = ModelLogger()


def get_input_tensor_by_name(inference_request: InferenceRequest, name: str) -> Tensor | None:
    return next((tensor for tensor in inference_request.inputs() if tensor.name() == name), None)


def get_output_tensor_by_name(inference_response: InferenceResponse, name: str) -> Tensor | None:
    return next((tensor for tensor in inference_response.output_tensors() if tensor.name() == name), None)


def get_input_config_by_name(model_config: Mapping[str, Any], name: str) -> Any:
    return next((tensor for tensor in model_config.get("input", ()) if tensor["name"] == name), None)


def get_output_config_by_name(model_config: Mapping[str, Any], name: str) -> Any:
    return next((tensor for tensor in model_config.get("output", ()) if tensor["name"] == name), None)


def using_decoupled_model_transaction_policy(model_config: Mapping[str, Any]) -> bool:
    return bool(model_config.get("model_transaction_policy", {}).get("decoupled", False))


def _absent(name: str) -> Any:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise NotSupported(name)

    return fail


MetricFamily: Any = pb_metrics.MetricFamily
is_model_ready = _absent("is_model_ready")  # but for a model
load_model = _absent("load_model")
unload_model = _absent("unload_model")


def for_model(name: str, folder: Path, host: Host) -> ModuleType:
    """Make the module as the model `name`, whose files lie in `folder`, finds it."""
    module = ModuleType(MODULE_NAME, __doc__)
    vars(module).update({key: globals()[key] for key in __all__})
    vars(module).update(
        Logger=ModelLogger(model=name),
        get_model_dir=lambda: str(folder),
        InferenceRequest=type("InferenceRequest", (CallingRequest,), {"caller": Caller(host)}),
        MetricFamily=type("MetricFamily", (pb_metrics.MetricFamily,), {"host": host}),
        is_model_ready=lambda model_name, model_version="": host.is_ready(str(model_name), _version(model_version)),
    )
    return module


def _version(given: Any) -> int | None:
    return int(given) if given and int(given) > 0 else None
