"""The same conformance test through each of tritonclient's four clients: sync and asyncio, gRPC and HTTP."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

import small_models
from server_process import ServerProcess
from wire_server import texts

NOT_IN_JSON = {"f16", "bf16"}  # which tritonclient sends as binary data only


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root: Path = tmp_path_factory.mktemp("conformance")
    for kind in small_models.ALL:
        small_models.save(small_models.pass_through(kind, [-1, -1]), root / kind / "1")
    small_models.save(small_models.add_sub([-1, 4]), root / "add_sub/1")
    server = ServerProcess("--model_repository", str(root), rest=True)
    yield server
    assert server.stop() == 0


class Sync:
    def __init__(self, module: Any, address: str) -> None:
        self._client = module.InferenceServerClient(address)

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self._client, method)(*arguments, **options)

    def close(self) -> None:
        self._client.close()


class Asyncio:
    """An asyncio client with a loop of its own."""

    def __init__(self, module: Any, address: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._made(module, address))

    async def _made(self, module: Any, address: str) -> Any:
        return module.InferenceServerClient(address)

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        return self._loop.run_until_complete(getattr(self._client, method)(*arguments, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


CLIENTS: dict[str, tuple[Callable[[Any, str], Sync | Asyncio], Any, Any]] = {
    "grpc": (Sync, tritonclient.grpc, tritonclient.grpc),
    "grpc.aio": (Asyncio, tritonclient.grpc.aio, tritonclient.grpc),
    "http": (Sync, tritonclient.http, tritonclient.http),
    "http.aio": (Asyncio, tritonclient.http.aio, tritonclient.http),
}


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(name: str, server: ServerProcess) -> Iterator[Sync | Asyncio]:
    make, module, _ = CLIENTS[name]
    client = make(module, server.address if name.startswith("grpc") else server.rest_address)
    yield client
    client.close()


def values(kind: str) -> np.ndarray:
    if kind == "string":
        return texts("é".encode(), b"", b"plain\0").reshape(3, 1)
    if kind == "bf16":
        return np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3)
    found = np.array([[0, 1, 2], [3, 4, 5]]).astype(getattr(ov.Type, kind).to_dtype())
    if found.dtype.kind in "iu":
        limits = np.iinfo(found.dtype)
        found[0, 0], found[1, 2] = limits.min, limits.max
    return found


def given(name: str, tensor: str, data: np.ndarray, datatype: str, *, binary: bool) -> Any:
    """An input, as the client's own module makes it."""
    made = CLIENTS[name][2].InferInput(tensor, list(data.shape), datatype)
    made.set_data_from_numpy(data, **({"binary_data": binary} if name.startswith("http") else {}))
    return made


def wanted(name: str, tensor: str, *, binary: bool) -> Any:
    options = {"binary_data": binary} if name.startswith("http") else {}
    return CLIENTS[name][2].InferRequestedOutput(tensor, **options)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("kind", small_models.ALL)
def test_every_datatype_comes_back(client: Sync | Asyncio, name: str, kind: str, binary: bool) -> None:
    if not binary and (name.startswith("grpc") or kind in NOT_IN_JSON):
        binary = True  # gRPC has no other way, and JSON none for these: then it is the same test again
    sent = values(kind)
    tensor = given(name, "x", sent, small_models.KSERVE[kind], binary=binary)
    answer = client.ask("infer", kind, [tensor], outputs=[wanted(name, "x", binary=binary)], request_id="7")
    got = answer.as_numpy("x")
    assert got.shape == sent.shape
    if kind == "string":
        assert [one if isinstance(one, bytes) else one.encode() for one in got.ravel()] == sent.ravel().tolist()
    else:
        np.testing.assert_array_equal(got.astype(sent.dtype), sent)


def test_only_the_outputs_asked_for_come(client: Sync | Asyncio, name: str) -> None:
    data = np.ones((2, 4), np.float32)
    inputs = [given(name, tensor, data, "FP32", binary=True) for tensor in "ab"]
    answer = client.ask("infer", "add_sub", inputs, outputs=[wanted(name, "difference", binary=True)])
    assert answer.as_numpy("difference").tolist() == [[0] * 4] * 2
    assert answer.as_numpy("sum") is None


def test_health_and_readiness(client: Sync | Asyncio) -> None:
    assert client.ask("is_server_live")
    assert client.ask("is_server_ready")
    assert client.ask("is_model_ready", "add_sub")
    assert client.ask("is_model_ready", "add_sub", "1")
    assert not client.ask("is_model_ready", "nope")


def test_what_is_known_of_a_model(client: Sync | Asyncio, name: str) -> None:
    as_json = {"as_json": True} if name.startswith("grpc") else {}
    metadata = client.ask("get_model_metadata", "add_sub", **as_json)
    assert [(tensor["name"], tensor["datatype"]) for tensor in metadata["inputs"]] == [("a", "FP32"), ("b", "FP32")]
    assert [[int(length) for length in tensor["shape"]] for tensor in metadata["outputs"]] == [[-1, 4]] * 2
    config = client.ask("get_model_config", "add_sub", **as_json)
    assert config.get("config", config)["name"] == "add_sub"
    index = client.ask("get_model_repository_index", **as_json)
    rows = index["models"] if isinstance(index, dict) else index
    assert {row["name"]: row["state"] for row in rows} == dict.fromkeys((*small_models.ALL, "add_sub"), "READY")
    statistics = client.ask("get_inference_statistics", "add_sub", **as_json)
    assert statistics["model_stats"][0]["name"] == "add_sub"


def test_an_error_says_what_is_wrong(client: Sync | Asyncio, name: str) -> None:
    inputs = [given(name, tensor, np.ones((2, 3), np.float32), "FP32", binary=True) for tensor in "ab"]
    with pytest.raises(InferenceServerException, match=r"Invalid input shape - Expected: \(-1,4\); Actual: \(2,3\)"):
        client.ask("infer", "add_sub", inputs)
    with pytest.raises(InferenceServerException, match="model 'nope' is not found"):
        client.ask("infer", "nope", inputs)
    with pytest.raises(InferenceServerException, match="only with --model_control_mode explicit"):
        client.ask("load_model", "add_sub")
