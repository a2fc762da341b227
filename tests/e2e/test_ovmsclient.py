"""OVMS's own client, over gRPC and over REST."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import ovmsclient
import pytest

import small_models
from encoded_pictures import noise, png
from server_process import ServerProcess


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("zoo")
    small_models.save(small_models.add_sub([-1, 4]), root / "two/1")
    small_models.save(small_models.add_one([2]), root / "one/1")
    small_models.save(small_models.add_one([2]), root / "one/2")
    (root / "one/2/model.bin").unlink()
    small_models.save(small_models.pass_through("string", [-1]), root / "text/1")
    small_models.save(small_models.channel_sum("NCHW"), root / "picture/1")
    server = ServerProcess("--model_repository", str(root), rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


@pytest.fixture(params=["gRPC", "REST"])
def client(zoo: ServerProcess, request: pytest.FixtureRequest) -> Any:
    if request.param == "gRPC":
        return ovmsclient.make_grpc_client(zoo.address)
    return ovmsclient.make_http_client(zoo.rest_address)


def test_it_predicts(client: Any) -> None:
    a, b = np.arange(4, dtype=np.float32)[None], np.ones((1, 4), np.float32)
    got = client.predict({"a": a, "b": b}, "two")
    assert {name: array.tolist() for name, array in got.items()} == {
        "sum": (a + b).tolist(),
        "difference": (a - b).tolist(),
    }
    assert client.predict({"x": [1.5, 2.5]}, "one").tolist() == [2.5, 3.5]


def test_it_sends_strings(client: Any) -> None:
    got = client.predict({"x": ["ja", b"nein"]}, "text").tolist()
    assert [text if isinstance(text, str) else text.decode() for text in got] == ["ja", "nein"]  # str over REST


def test_it_sends_pictures(client: Any) -> None:
    picture = noise(8, 8)
    assert (client.predict({"x": [png(picture)]}, "picture")[0, 0] == picture.astype(np.float32).sum(2)).all()


def test_it_reads_metadata(client: Any) -> None:
    tensor = {"shape": [-1, 4], "dtype": "DT_FLOAT"}
    assert client.get_model_metadata("two") == {
        "model_version": 1,
        "inputs": {"a": tensor, "b": tensor},
        "outputs": {"sum": tensor, "difference": tensor},
    }


def test_it_reads_states(client: Any) -> None:
    status = client.get_model_status("one")
    assert status[1] == {"state": "AVAILABLE", "error_code": 0, "error_message": "OK"}
    assert (status[2]["state"], status[2]["error_code"]) == ("LOADING", 2)
    assert "model.bin" in status[2]["error_message"]


@pytest.mark.parametrize(
    ("inputs", "model", "version", "error"),
    [
        ({"x": [1.0, 2.0]}, "nope", 0, "ModelNotFoundError"),
        ({"x": [1.0, 2.0]}, "one", 9, "ModelNotFoundError"),
        ({"x": [1.0]}, "one", 0, "InvalidInputError"),
        ({"y": [1.0, 2.0]}, "one", 0, "InvalidInputError"),
    ],
)
def test_it_knows_the_errors(client: Any, inputs: dict[str, Any], model: str, version: int, error: str) -> None:
    with pytest.raises(Exception, match="Error occurred during handling the request: ") as caught:
        client.predict(inputs, model, version)
    assert type(caught.value).__name__ == error
