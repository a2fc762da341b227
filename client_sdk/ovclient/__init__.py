"""A client for model servers that speak KServe v2, gRPC or REST: ovserve, OpenVINO Model Server, Triton.

    with Client("localhost:9000") as client:
        result = client.infer("resnet", {"0": images})
        scores = result["1463"]

`Client("http://localhost:8000")` speaks REST. `AsyncClient` is the asyncio twin,
`ovclient.testing.FakeServer` a server for tests. Errors: see `OVClientError`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ovclient._aio import AsyncClient
    from ovclient._client import Client
    from ovclient._errors import (
        AccessDenied,
        BadResponse,
        ClientClosed,
        ConnectionFailed,
        DeadlineExceeded,
        InvalidRequest,
        InvalidSetup,
        MessageTooLarge,
        NotFound,
        NotReady,
        OVClientError,
        Overloaded,
        ServerFailure,
        UnknownTensor,
        Unsupported,
    )
    from ovclient._types import InferResult, ModelIndex, ModelMetadata, ServerMetadata, TensorMetadata
    from ovclient.pipeline import Pipeline, PipelineEdge, PipelineNode, PipelineTensor

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "BadResponse",
    "Client",
    "ClientClosed",
    "ConnectionFailed",
    "DeadlineExceeded",
    "InferResult",
    "InvalidRequest",
    "InvalidSetup",
    "MessageTooLarge",
    "ModelIndex",
    "ModelMetadata",
    "NotFound",
    "NotReady",
    "OVClientError",
    "Overloaded",
    "Pipeline",
    "PipelineEdge",
    "PipelineNode",
    "PipelineTensor",
    "ServerFailure",
    "ServerMetadata",
    "TensorMetadata",
    "UnknownTensor",
    "Unsupported",
]

_PLACES = {
    "AsyncClient": "ovclient._aio",
    "Client": "ovclient._client",
    "InferResult": "ovclient._types",
    "ModelIndex": "ovclient._types",
    "ModelMetadata": "ovclient._types",
    "Pipeline": "ovclient.pipeline",
    "PipelineEdge": "ovclient.pipeline",
    "PipelineNode": "ovclient.pipeline",
    "PipelineTensor": "ovclient.pipeline",
    "ServerMetadata": "ovclient._types",
    "TensorMetadata": "ovclient._types",
}  # all others are errors


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: `ovclient --help` need not wait for numpy and gRPC."""
    if name not in __all__:
        raise AttributeError(f"module 'ovclient' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415 - as above

    found = globals()[name] = getattr(import_module(_PLACES.get(name, "ovclient._errors")), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
