"""Keys and their rights: who may do what over gRPC."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2 as pb

import small_models
from authority import Authority
from client_process import ovclient
from ovclient import AccessDenied, Client
from ovserve.frontends.grpc.rights import RIGHTS
from ovserve.security.keys import Right
from server_process import ServerProcess, run_ovserve

Serve = Callable[..., ServerProcess]

X = np.zeros(2, np.float32)
ADMIN, USER, WATCHER, DEPLOYER = "adm1n-key", "us3r-key", "w4tcher-key", "d3ployer-key"
WRONG = "n0body-key"
KEYS = f"""
# every right
{ADMIN}
{USER} inference
{WATCHER} metrics
sha256:{hashlib.sha256(DEPLOYER.encode()).hexdigest()} management
"""
HOLDERS = {
    Right.INFERENCE: {ADMIN, USER},
    Right.METRICS: {ADMIN, WATCHER},
    Right.MANAGEMENT: {ADMIN, DEPLOYER},
}
OPEN = [call for call, right in RIGHTS.items() if right is None and call.startswith("/inference.")]
GUARDED = [(call, right) for call, right in RIGHTS.items() if right is not None]
_Code = grpc.StatusCode


class Guarded:
    """A server that asks for keys, open to other machines, in mode explicit."""

    def __init__(self, root: Path) -> None:
        self.file = root / "keys"
        self.file.write_text(KEYS)
        small_models.save(small_models.add_one([2]), root / "repository/m/1")
        small_models.save(small_models.add_one([2]), root / "secret/1")
        explicit = ("--model_control_mode", "explicit", "--load_model", "*", "--grpc_bind_address", "0.0.0.0")  # noqa: S104
        flags = ("--api_key_file", str(self.file), "--log_level", "DEBUG")
        self.server = ServerProcess("--model_repository", str(root / "repository"), *explicit, *flags)
        self.channel = grpc.insecure_channel(self.address, [("grpc.max_send_message_length", -1)])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def client(self, key: str | None = USER) -> Client:
        return Client(self.address, api_key=key)

    def answer(self, call: str, key: str | None, message: bytes = b"", header: str = "authorization") -> grpc.Call:
        value = {"authorization": f"Bearer {key}", "x-api-key": key}[header]
        metadata = () if key is None else ((header, value),)
        answered = self.channel.unary_unary(call).future(message, metadata=metadata, timeout=60)
        answered.code()
        return answered

    def assert_well(self) -> None:
        """A good request is answered, and without any key the probes."""
        with self.client() as client:
            assert client.infer("m", X)["y"].tolist() == [1, 1]
        with self.client(None) as client:
            assert client.live()
            assert client.ready()
            assert client.ready("m")
        health = health_pb2_grpc.HealthStub(self.channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
        assert health.status == health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(scope="module")
def shared_guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    guarded = Guarded(tmp_path_factory.mktemp("guarded"))
    yield guarded
    guarded.channel.close()
    assert guarded.server.stop() == 0
    for key in (ADMIN, USER, WATCHER, DEPLOYER, WRONG):
        assert key not in guarded.server.log


@pytest.fixture
def guarded(shared_guarded: Guarded) -> Iterator[Guarded]:
    yield shared_guarded
    shared_guarded.file.write_text(KEYS)
    shared_guarded.assert_well()


@pytest.mark.parametrize(("call", "right"), GUARDED, ids=str)
def test_each_guarded_call_lets_in_whoever_has_its_right(guarded: Guarded, call: str, right: Right) -> None:
    name = call.rpartition("/")[2]
    for key in (ADMIN, USER, WATCHER, DEPLOYER):
        answered = guarded.answer(call, key)
        if key in HOLDERS[right]:
            assert answered.code() not in {_Code.UNAUTHENTICATED, _Code.PERMISSION_DENIED}
        else:
            assert answered.code() is _Code.PERMISSION_DENIED
            assert answered.details() == f"{name} needs the right '{right.value}', which the key sent does not have"
    for key, sentence in ((None, f"{name} needs a key: send it as"), (WRONG, f"{name}: the key sent is not known")):
        answered = guarded.answer(call, key)
        assert answered.code() is _Code.UNAUTHENTICATED
        assert answered.details().startswith(sentence)


@pytest.mark.parametrize("call", OPEN)
def test_probes_need_no_key(guarded: Guarded, call: str) -> None:
    message = pb.ModelReadyRequest(name="m").SerializeToString() if call.endswith("/ModelReady") else b""
    for key in (None, WRONG, USER):
        assert guarded.answer(call, key, message).code() is _Code.OK


def test_what_is_no_call_at_all_is_refused_like_others(guarded: Guarded) -> None:
    assert guarded.answer("/inference.Nothing/Nothing", None).code() is _Code.UNAUTHENTICATED
    assert guarded.answer("/inference.Nothing/Nothing", ADMIN).code() is _Code.UNIMPLEMENTED


def test_a_key_may_come_as_api_key(guarded: Guarded) -> None:
    call = "/inference.GRPCInferenceService/ServerMetadata"
    assert guarded.answer(call, USER, header="x-api-key").code() is _Code.OK
    assert guarded.answer(call, WRONG, header="x-api-key").code() is _Code.UNAUTHENTICATED


def test_who_may_manage_does_so_from_other_machines_too(guarded: Guarded) -> None:
    for key in (ADMIN, DEPLOYER):
        with guarded.client(key) as client:
            client.unload_model("m")
            client.load_model("m")
    with guarded.client(USER) as client, pytest.raises(AccessDenied, match="needs the right 'management'"):
        client.unload_model("m")


@pytest.mark.parametrize("name", ["../secret", "..", ".", "", "m/../../secret", "/", "m/1", "\x00", "a\\..\\secret"])
def test_a_name_does_not_lead_out_of_the_repository(guarded: Guarded, name: str) -> None:
    with guarded.client(ADMIN) as client:
        for config in (None, {"name": "x"}):
            with pytest.raises(Exception, match="load") as refused:
                client.load_model(name, config, {"1/model.xml": b"<net>"} if config else None)
            assert str(guarded.file.parent) not in str(refused.value)
        assert {row.name for row in client.repository_index()} == {"m"}


def test_a_message_without_key_is_not_even_received(guarded: Guarded) -> None:
    before_kb = guarded.server.resident_kb()
    answered = guarded.answer("/inference.GRPCInferenceService/ModelInfer", None, bytes(200 << 20))
    assert answered.code() is _Code.UNAUTHENTICATED
    assert guarded.server.resident_kb() - before_kb < 50 << 10


def test_keys_that_change_count_at_once(guarded: Guarded) -> None:
    with guarded.client(USER) as old, guarded.client("n3xt-key") as new:
        old.metadata("m")
        guarded.file.write_text(f"n3xt-key inference\n{ADMIN}\n")
        assert new.infer("m", X)["y"].tolist() == [1, 1]
        with pytest.raises(AccessDenied, match="the key sent is not known"):
            old.metadata("m")


def test_a_file_that_becomes_wrong_leaves_the_old_keys_in_force(guarded: Guarded) -> None:
    guarded.file.write_text("s3cret key of many words")
    with guarded.client() as client:
        for _ in range(3):
            assert client.infer("m", X)["y"].tolist() == [1, 1]
    guarded.file.unlink()
    guarded.assert_well()
    refused = "the new keys are refused, those before stay in force"
    until_s = time.monotonic() + 60
    while guarded.server.log.count(refused) < 2:  # what is written is read a little later
        assert time.monotonic() < until_s, guarded.server.log
    assert guarded.server.log.count(refused) == 2
    assert guarded.server.log.count("line 1 is not understood") == 1
    assert "s3cret" not in guarded.server.log


def test_keys_without_tls_on_the_network_are_warned_about(guarded: Guarded) -> None:
    assert "keys come over the network unencrypted: give --tls_cert and --tls_key" in guarded.server.log


def test_the_command_has_its_key_from_the_environment(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ovclient(guarded.server, "metadata", "--model_name", "m")
    assert done.returncode == 1
    assert "needs a key" in done.stderr
    monkeypatch.setenv("OVCLIENT_API_KEY", USER)
    assert ovclient(guarded.server, "metadata", "--model_name", "m").returncode == 0
    short = ("--duration", "0.2", "--warm_up", "0", "--concurrency", "2", "--json")
    done = ovclient(guarded.server, "bench", "m", *short)
    (level,) = json.loads(done.stdout)["levels"]
    assert (level["errors"], USER in done.stdout + done.stderr) == ({}, False)


def test_tritonclient_sends_a_key_over_tls(serve: Serve, tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    files = ca.issue("server")
    (tmp_path / "keys").write_text(KEYS)
    small_models.save(small_models.add_one([2]), tmp_path / "repository/m/1")
    pair = ("--grpc-use-ssl=true", "--grpc-server-cert", str(files.cert), "--grpc-server-key", str(files.key))
    models = ("--model-repository", str(tmp_path / "repository"), "--api_key_file", str(tmp_path / "keys"))
    address = f"localhost:{serve(*models, *pair).port}"
    with tritonclient.grpc.InferenceServerClient(address, ssl=True, root_certificates=str(ca.path)) as client:
        given = tritonclient.grpc.InferInput("x", [2], "FP32")
        given.set_data_from_numpy(X)
        answer = client.infer("m", [given], headers={"authorization": f"Bearer {USER}"})
        assert answer.as_numpy("y").tolist() == [1, 1]
        assert client.is_server_ready()
        with pytest.raises(tritonclient.grpc.InferenceServerException, match="needs a key"):
            client.infer("m", [given])


def test_the_environment_may_hold_the_one_key_as_in_ovms(serve: Serve, tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "m/1")
    server = serve("--model_repository", str(tmp_path), env={"API_KEY": ADMIN})
    with Client(server.address, api_key=ADMIN) as known, Client(server.address) as unknown:
        assert known.infer("m", X)["y"].tolist() == [1, 1]
        assert unknown.ready()
        with pytest.raises(AccessDenied):
            unknown.infer("m", {"x": X})


def test_a_wrong_file_ends_the_start_and_stays_unsaid(tmp_path: Path) -> None:
    small_models.save(small_models.add_one([2]), tmp_path / "r/m/1")
    (tmp_path / "keys").write_text("s3cret all\n")
    models = ("--model_repository", str(tmp_path / "r"), "--port", "auto")
    ended = run_ovserve(*models, "--api_key_file", str(tmp_path / "keys"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1].startswith(
        f"ovserve: --api_key_file {tmp_path}/keys: line 1 is not understood"
    )
    assert "s3cret" not in ended.stderr
