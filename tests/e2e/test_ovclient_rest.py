"""Both clients over REST against the real server: the same as over gRPC, whoever asks."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
import pytest

import small_models
from encoded_pictures import noise, png
from ovclient import (
    Client,
    InvalidRequest,
    MessageTooLarge,
    OVClientError,
)
from server_process import ServerProcess

Serve = Callable[..., ServerProcess]
X = np.zeros((1, 4), np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("rest")
    for kind in small_models.ALL:
        small_models.save(small_models.pass_through(kind, [-1, -1]), root / f"pass_{kind}/1")
    small_models.save(small_models.add_one([-1, 4]), root / "m/1")
    small_models.save(small_models.add_one([-1, 4]), root / "m/3")
    small_models.save(small_models.add_sub([2, 2]), root / "add_sub/1")
    small_models.save(small_models.slow(), root / "slow/1")
    small_models.save(small_models.channel_sum("NCHW"), root / "picture/1")
    server = ServerProcess("--model_repository", str(root), "--rest_max_body_bytes", "20000000", rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


@pytest.fixture
def client(server: ServerProcess, twin: Any) -> Iterator[Client]:
    with twin(f"http://{server.rest_address}") as client:
        yield client


def array_of(kind: str) -> np.ndarray:
    if kind == "string":
        strings = np.empty((2, 3), object)
        strings[:] = [["é".encode(), b"", b"\0"], [b"a\0", b"\xff", bytes(300)]]
        return strings
    if kind == "boolean":
        return np.array([[True, False, True]])
    raw = np.random.default_rng(7).bytes(6 * 8)
    dtype: Any = ml_dtypes.bfloat16 if kind == "bf16" else getattr(ov.Type, kind).to_dtype()
    return np.frombuffer(raw, dtype)[:6].reshape(2, 3)


@pytest.mark.parametrize("kind", small_models.ALL)
def test_every_datatype_comes_back_bit_for_bit(client: Client, kind: str) -> None:
    sent = array_of(kind)
    got = client.infer(f"pass_{kind}", {"x": sent})["x"]
    assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
    assert got.tolist() == sent.tolist() if kind == "string" else got.tobytes() == sent.tobytes()
    assert client.infer(f"pass_{kind}", {"x": sent[:0]})["x"].shape == (0, sent.shape[1])


ALIKE: dict[str, Callable[[Client], Any]] = {
    "live": lambda client: client.live(),
    "ready": lambda client: client.ready(),
    "ready model": lambda client: client.ready("m", 3),
    "ready, unknown model": lambda client: client.ready("nope"),
    "ready, unknown version": lambda client: client.ready("m", 2),
    "metadata": lambda client: client.metadata("add_sub"),
    "metadata of a version": lambda client: client.metadata("m", 1),
    "index": lambda client: client.repository_index(),
    "index, ready": lambda client: client.repository_index(ready=True),
    "unload, not explicit": lambda client: client.unload_model("m"),
    "load, not explicit": lambda client: client.load_model("m"),
    "no pipeline": lambda client: client.pipeline("m"),
    "unknown model": lambda client: client.infer("nope", {"x": X}),
    "unknown version": lambda client: client.metadata("m", 2),
    "no version": lambda client: client.metadata("m", "one"),
    "wrong datatype": lambda client: client.infer("m", {"x": [1]}, id="seven"),
    "wrong shape": lambda client: client.infer("m", {"x": X[0]}),
    "wrong name": lambda client: client.infer("m", {"y": X}),
    "wrong output": lambda client: client.infer("m", X, outputs=["z"]),
    "two inputs, one array": lambda client: client.infer("add_sub", X),
}


@pytest.mark.parametrize("ask", ALIKE.values(), ids=ALIKE.keys())
def test_what_grpc_says_rest_says_too(server: ServerProcess, client: Client, ask: Callable[[Client], Any]) -> None:
    def outcome(asked: Client) -> Any:
        try:
            return ask(asked)
        except OVClientError as error:
            return type(error), str(error), error.code

    with Client(server.address) as other:
        assert outcome(client) == outcome(other)


def test_an_inference_tells_the_same_of_itself(server: ServerProcess, client: Client) -> None:
    inputs = {"a": np.full((2, 2), 7, np.float32), "b": np.eye(2, dtype=np.float32)}
    with Client(server.address) as other:
        results = [one.infer("add_sub", inputs, id="q", parameters={"x": 1}) for one in (client, other)]
        chosen = [one.infer("add_sub", inputs, outputs=["difference"]) for one in (client, other)]
    assert [list(result) for result in results + chosen] == [["sum", "difference"]] * 2 + [["difference"]] * 2
    mine, theirs = results
    assert all((mine[name] == theirs[name]).all() for name in theirs)
    ours = (mine.model, mine.version, mine.id, mine.parameters)
    assert ours == (theirs.model, theirs.version, theirs.id, theirs.parameters) == ("add_sub", "1", "q", {})


def test_server_metadata_names_the_extensions_of_rest(client: Client) -> None:
    told = client.server_metadata()
    assert told.name == "ovserve"
    assert "binary_tensor_data" in told.extensions


def test_a_large_tensor_comes_back_whole(client: Client) -> None:
    x = np.arange(4_000_000, dtype=np.float32).reshape(-1, 4)
    y = client.infer("m", x)["y"]
    assert (y == x + 1).all()
    assert y.flags.aligned


def test_a_body_above_the_servers_limit_is_too_large(client: Client) -> None:
    with pytest.raises(MessageTooLarge, match="--rest_max_body_bytes"):
        client.infer("m", np.zeros((2_000_000, 4), np.float32))
    assert client.live()


def test_pictures_go_as_files(server: ServerProcess, client: Client) -> None:
    picture = png(noise(8, 8))
    with Client(server.address) as other:
        assert (client.infer("picture", [picture])["y"] == other.infer("picture", [picture])["y"]).all()
    with pytest.raises(InvalidRequest, match="picture"):
        client.infer("picture", [b"no picture"])


def test_threads_share_one_client_and_get_their_own_answers(client: Client) -> None:
    def ask(seed: int) -> bool:
        chance = np.random.default_rng(seed)
        asked = [chance.random((int(chance.integers(1, 2000)), 4), np.float32) for _ in range(30)]
        return all((client.infer("m", x)["y"] == x + 1).all() for x in asked)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))
