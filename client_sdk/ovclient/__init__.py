"""A client for model servers that speak KServe v2, gRPC or REST: ovserve, OpenVINO Model Server, Triton.

    with Client("localhost:9000") as client:
        result = client.infer("resnet", {"0": images})
        scores = result["1463"]

`Client("http://localhost:8000")` speaks REST. `AsyncClient` is the asyncio twin,
`ovclient.testing.FakeServer` a server for tests. Errors: see `OVClientError`.
"""

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
