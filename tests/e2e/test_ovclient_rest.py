"""`Client` over REST against the real server: the same as over gRPC, whoever asks."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
import pytest

import small_models
from authority import Authority
from client_process import ovclient_rest
from encoded_pictures import noise, png
from ovclient import (
    AccessDenied,
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidRequest,
    InvalidSetup,
    MessageTooLarge,
    NotFound,
    OVClientError,
    Overloaded,
)
from pipelines import document, node
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
def client(server: ServerProcess) -> Iterator[Client]:
    with Client(f"http://{server.rest_address}") as client:
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


def test_an_answer_that_takes_too_long_is_not_waited_for(client: Client) -> None:
    with pytest.raises(DeadlineExceeded):
        client.infer("slow", np.array(5000), timeout=0.2)
    assert client.infer("m", X)["y"].tolist() == [[1, 1, 1, 1]]


def test_a_full_queue_is_overload(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.slow(), repository / "slow/1")
    server = serve("--model_repository", str(repository), "--nireq", "1", "--max_queue", "1", rest=True)
    with Client(f"http://{server.rest_address}") as client, ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(client.infer, "slow", np.array(2000)) for _ in range(6)]
        failures = [type(one.exception()) for one in asked if one.exception() is not None]
    assert failures
    assert set(failures) == {Overloaded}


def test_a_server_that_goes_away_is_a_lost_connection_and_then_none(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.slow(), repository / "slow/1")
    server = serve("--model_repository", str(repository), rest=True)
    with Client(f"http://{server.rest_address}") as client, ThreadPoolExecutor(1) as threads:
        client.infer("slow", np.array(1))
        asked = threads.submit(client.infer, "slow", np.array(100_000))
        ended = threading.Event()
        asked.add_done_callback(lambda _: ended.set())
        assert not ended.wait(0.3)
        server.stop(9)
        with pytest.raises(ConnectionFailed, match="lost the connection to http://127"):
            asked.result(60)
        with pytest.raises(ConnectionFailed, match="could not connect to http://127"):
            client.live()


def test_models_are_loaded_and_unloaded(serve: Serve, repository: Path) -> None:
    small_models.save(small_models.add_one([-1, 4]), repository / "m/1")
    folder = small_models.save(small_models.add_sub([2, 2]), repository.parent / "other")
    server = serve("--model_repository", str(repository), "--model_control_mode", "explicit", rest=True)
    with Client(f"http://{server.rest_address}") as client:
        with pytest.raises(NotFound):
            client.infer("m", {"x": X})
        client.load_model("m")
        assert client.infer("m", X)["y"].tolist() == [[1, 1, 1, 1]]
        files = {f"1/{file.name}": file.read_bytes() for file in folder.iterdir()}
        client.load_model("m", {"backend": "openvino"}, files)
        assert [tensor.name for tensor in client.metadata("m").inputs] == ["a", "b"]
        client.unload_model("m", unload_dependents=True)
        assert [(row.name, row.state) for row in client.repository_index()] == [("m", "UNAVAILABLE")]
        with pytest.raises(InvalidRequest):
            client.load_model("nope")


def test_the_graph_of_a_pipeline_is_the_same(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([1, 2]), tmp_path / "a/1")
    small_models.save(small_models.add_one([1, 2]), tmp_path / "b/1")
    models = [{"config": {"name": name, "base_path": name}} for name in ("a", "b")]
    chain = document(node("first", "a"), node("second", "b", inputs={"x": "first.y"}))
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_config_list": models, "pipeline_config_list": [chain]}))
    server = serve("--config_path", str(file), rest=True)
    with Client(f"http://{server.rest_address}") as client, Client(server.address) as other:
        assert client.pipeline("p") == other.pipeline("p")
        assert client.infer("p", {"x": np.zeros((1, 2), np.float32)}).model == "p"


# TLS and keys


class Secured:
    """A server that wants TLS and a key, and a client's certificate if `mutual`."""

    def __init__(self, root: Path, *, mutual: bool) -> None:
        self.ca = Authority(root, "ca")
        files, self.client_files = self.ca.issue("server"), self.ca.issue("client") if mutual else None
        (root / "keys").write_text("adm1n-key\nus3r-key inference\n")
        small_models.save(small_models.add_one([-1, 4]), root / "repository/m/1")
        pair = ("--tls_cert", str(files.cert), "--tls_key", str(files.key), "--api_key_file", str(root / "keys"))
        clients = ("--tls_client_ca", str(self.ca.path)) if mutual else ()
        explicit = ("--model_control_mode", "explicit", "--load_model", "m")
        self.server = ServerProcess(
            "--model_repository", str(root / "repository"), *explicit, *pair, *clients, rest=True
        )

    @property
    def address(self) -> str:
        return f"https://localhost:{self.server.rest_port}"

    def client(self, key: str | None = "us3r-key", **settings: Any) -> Client:
        shown = self.client_files
        pair = {} if shown is None else {"client_cert": shown.cert, "client_key": shown.key}
        return Client(self.address, **{"server_cert": self.ca.path, "api_key": key, **pair, **settings})


@pytest.fixture(scope="module", params=[False, True], ids=["tls", "mutual"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("secured"), mutual=request.param)
    yield secured
    assert secured.server.stop() == 0


def test_who_is_trusted_and_has_a_key_is_answered(secured: Secured) -> None:
    with secured.client(tls=True) as client, ThreadPoolExecutor(4) as threads:
        assert all((y["y"] == 1).all() for y in threads.map(lambda _: client.infer("m", X), range(20)))


@pytest.mark.parametrize("key", [None, "n0body-key", "us3r-key"])
def test_keys_are_refused_as_over_grpc(secured: Secured, key: str | None) -> None:
    with secured.client(key) as client:
        assert client.ready("m")
        with pytest.raises(AccessDenied):
            client.unload_model("m")
    with secured.client("adm1n-key") as client:
        client.load_model("m")


def test_a_server_that_is_not_trusted_is_no_server(secured: Secured, tmp_path: Path) -> None:
    for wrong in (Authority(tmp_path, "other").path, None):
        with secured.client(server_cert=wrong) as client, pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY"):
            client.live()


def test_who_speaks_another_protocol_is_told_that_there_is_no_connection(
    secured: Secured, server: ServerProcess
) -> None:
    plain = Client(secured.address.replace("https", "http"))
    wrapped = Client(f"https://{server.rest_address}")
    grpc = Client(f"http://{server.address}")
    for client in (plain, wrapped, grpc):
        with client, pytest.raises(OVClientError, match=client.address):
            client.live()


def test_mutual_tls_wants_a_certificate(secured: Secured, tmp_path: Path) -> None:
    if secured.client_files is None:
        pytest.skip("this server asks for none")
    stranger = Authority(tmp_path, "stranger").issue("client")
    for cert, key in ((None, None), (stranger.cert, stranger.key)):
        with secured.client(client_cert=cert, client_key=key) as client, pytest.raises(ConnectionFailed):
            client.live()
    with pytest.raises(InvalidSetup, match=r"client_cert and client_key: .* cannot be used"):
        secured.client(client_cert=stranger.cert)


# The command


def test_the_commands_speak_rest(server: ServerProcess) -> None:
    assert ovclient_rest(server, "metadata", "m").stdout.startswith("Getting model metadata for model: m\nInputs")
    assert ovclient_rest(server, "live").stdout == "Server Live: True\n"
    assert ovclient_rest(server, "ready", "nope").returncode == 1
    assert "Model version: 3\nState AVAILABLE" in ovclient_rest(server, "status", "m").stdout
    refused = ovclient_rest(server, "bench", "m")
    assert (refused.returncode, "measures gRPC only" in refused.stderr) == (2, True)


def test_the_commands_take_certificates_and_keys(secured: Secured) -> None:
    flags = ["--tls", "--server_cert", str(secured.ca.path), "--api_key", "us3r-key", "--http_address", "localhost"]
    if shown := secured.client_files:
        flags += ["--client_cert", str(shown.cert), "--client_key", str(shown.key)]
    done = ovclient_rest(secured.server, "metadata", "m", *flags)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.shared
@pytest.mark.parametrize("flags", [["--batchsize", "8"], ["--binary"], ["--binary_data"]])
def test_resnet_over_rest(serve: Serve, shared: Path, flags: list[str]) -> None:
    model = ("--model_name", "resnet", "--model_path", str(shared / "models/efficientnet-lite0"))
    done = ovclient_rest(serve(*model, "--layout", "NHWC:NCHW", rest=True), "resnet", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\t 0 Egyptian cat 285 ; score 0." in done.stdout
