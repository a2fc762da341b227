import re
import subprocess
import sys
import typing

import pytest

import ovclient
import ovclient.testing
from ovclient import _errors


def test_public_names() -> None:
    assert ovclient.__all__ == [
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
    assert all(hasattr(ovclient, name) for name in ovclient.__all__)


def test_the_error_tree_drawn_in_the_docstring_is_the_real_one() -> None:
    drawn = re.findall(r"^([|` -]*)(\w+)  ", _errors.__doc__ or "", re.MULTILINE)
    parents: list[type] = []
    for indent, name in drawn:
        error, depth = getattr(_errors, name), len(indent) // 4
        assert depth == 0 or error.__bases__[0] is parents[depth - 1]
        parents[depth:] = [error]
    real = {name for name, item in vars(_errors).items() if isinstance(item, type)}
    assert {name for _, name in drawn} == real


@pytest.mark.parametrize("package", ["ovclient", "ovclient.testing"])
def test_import_pulls_in_neither_the_server_nor_the_command_line(package: str) -> None:
    heavy = {"openvino", "cv2", "fastapi", "cyclopts", "rich", "ovserve", "urllib3"}
    code = f"import sys, {package}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "method",
    [
        "infer",
        "metadata",
        "server_metadata",
        "live",
        "ready",
        "pipeline",
        "repository_index",
        "load_model",
        "unload_model",
    ],
)
def test_the_async_client_has_the_same_methods_with_the_same_arguments(method: str) -> None:
    sync, twin = getattr(ovclient.Client, method), getattr(ovclient.AsyncClient, method)
    assert typing.get_type_hints(sync) == typing.get_type_hints(twin)
    assert (sync.__defaults__, sync.__kwdefaults__) == (twin.__defaults__, twin.__kwdefaults__)
