"""Plain tritonclient against the server as a process: right answers, whoever asks."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import small_models
from server_process import ServerProcess, repository


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("models")
    small_models.save(small_models.add_one([-1, 4]), root / "add_one" / "1")
    small_models.save(small_models.add_sub([2, 2]), root / "add_sub" / "3")
    small_models.save(small_models.add_one([]), root / "scalar" / "1")
    server = ServerProcess("--model_repository", str(root))
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.address) as client:
        yield client


def infer_input(name: str, array: np.ndarray, module: object = triton) -> triton.InferInput:
    tensor = module.InferInput(name, list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def test_two_inputs_give_both_outputs_in_the_models_order(client: triton.InferenceServerClient) -> None:
    a, b = np.arange(4, dtype=np.float32).reshape(2, 2), np.full((2, 2), 10, np.float32)
    result = client.infer("add_sub", [infer_input("b", b), infer_input("a", a)], request_id="r1")
    assert [output.name for output in result.get_response().outputs] == ["sum", "difference"]
    assert (result.as_numpy("sum") == a + b).all()
    assert (result.as_numpy("difference") == a - b).all()
    assert (result.get_response().id, result.get_response().model_version) == ("r1", "3")


def test_only_the_outputs_asked_for_come_back(client: triton.InferenceServerClient) -> None:
    zeros = np.zeros((2, 2), np.float32)
    outputs = [triton.InferRequestedOutput("difference")]
    result = client.infer("add_sub", [infer_input("a", zeros), infer_input("b", zeros)], outputs=outputs)
    assert [output.name for output in result.get_response().outputs] == ["difference"]


def test_a_scalar_stays_of_rank_zero(client: triton.InferenceServerClient) -> None:
    result = client.infer("scalar", [infer_input("x", np.array(41, np.float32))])
    assert list(result.get_response().outputs[0].shape) == []
    assert result.as_numpy("y").item() == 42


def test_eight_threads_each_get_their_own_answers(server: ServerProcess) -> None:
    def ask(seed: int) -> bool:
        chance = np.random.default_rng(seed)
        with triton.InferenceServerClient(server.address) as client:
            for _ in range(50):
                x = chance.random((int(chance.integers(1, 9)), 4), np.float32)
                if not (client.infer("add_one", [infer_input("x", x)]).as_numpy("y") == x + 1).all():
                    return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))


def test_asyncio_clients_each_get_their_own_answers(server: ServerProcess) -> None:
    async def ask(client: triton_aio.InferenceServerClient, n: int) -> bool:
        x = np.full((n % 7 + 1, 4), n, np.float32)
        result = await client.infer("add_one", [infer_input("x", x, triton_aio)])
        return bool((result.as_numpy("y") == x + 1).all())

    async def ask_all() -> list[bool]:
        async with triton_aio.InferenceServerClient(server.address) as client:
            answers: list[bool] = []
            for start in range(0, 200, 20):
                answers += await asyncio.gather(*(ask(client, n) for n in range(start, start + 20)))
            return answers

    assert all(asyncio.run(ask_all()))


def test_metadata_config_and_index_agree(client: triton.InferenceServerClient) -> None:
    metadata = client.get_model_metadata("add_one", as_json=True)
    assert metadata == {
        "name": "add_one",
        "versions": ["1"],
        "platform": "OpenVINO",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": ["-1", "4"]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": ["-1", "4"]}],
    }
    config = client.get_model_config("add_one", as_json=True)["config"]
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": ["-1", "4"]}]
    assert config["output"] == [{"name": "y", "data_type": "TYPE_FP32", "dims": ["-1", "4"]}]
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {"name": "add_sub", "version": "3", "state": "READY"} in index
    assert [row["name"] for row in index] == ["add_one", "add_sub", "scalar"]


def test_server_metadata_names_only_extensions_that_are_there(client: triton.InferenceServerClient) -> None:
    metadata = client.get_server_metadata(as_json=True)
    extensions = ["classification", "logging", "model_configuration", "model_repository"]
    extensions += ["model_repository(unload_dependents)", "parameters", "schedule_policy", "sequence", "statistics"]
    extensions += ["system_shared_memory", "trace"]
    assert (metadata["name"], metadata["extensions"]) == ("ovserve", extensions)


def test_probes_of_a_server_that_serves_are_true(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("add_one")
    assert client.is_model_ready("add_sub", "3")
    assert not client.is_model_ready("add_sub", "4")
    assert not client.is_model_ready("nope")


@pytest.mark.parametrize("service", ["", "inference.GRPCInferenceService", "add_one"])
def test_grpc_health_says_serving(server: ServerProcess, service: str) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        assert stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(request, timeout=10)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_grpc_health_of_an_unknown_model_is_not_found(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nope"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_describes_the_inference_service(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "inference.GRPCInferenceService" in database.get_services()
        service = DescriptorPool(database).FindServiceByName("inference.GRPCInferenceService")
    assert len(service.methods) == 20


def test_a_real_model_recognises_the_ten_pictures(shared: Path, tmp_path: Path) -> None:
    models = repository(tmp_path, resnet=shared / "models/efficientnet-lite0/1")
    server = ServerProcess("--model_repository", str(models))
    images, labels = np.load(shared / "data/imgs.npy"), np.load(shared / "data/lbs.npy")
    with triton.InferenceServerClient(server.address) as client:
        scores = client.infer("resnet", [infer_input("0", images)]).as_numpy("1463")
    assert scores.argmax(1).tolist() == labels.tolist()
    assert server.stop() == 0
