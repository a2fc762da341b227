import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ovclient import (
    Client,
    ClientClosed,
    InvalidRequest,
    InvalidSetup,
    ModelIndex,
    NotFound,
    TensorMetadata,
    UnknownTensor,
)
from ovclient._grpc import is_local
from ovclient.testing import FakeServer


def test_infer_answers_outputs_by_name(server: FakeServer, client: Client) -> None:
    server.add_model("double", lambda inputs: {"y": inputs["x"] * 2, "n": np.int32(3)}, version="4")
    result = client.infer("double", {"x": np.float32([1, 2])}, id="a7")
    assert result["y"].tolist() == [2, 4]
    assert result["n"].shape == ()
    assert list(result) == ["y", "n"]
    assert (result.model, result.version, result.id) == ("double", "4", "a7")


def test_only_the_outputs_wanted_are_asked_for(server: FakeServer, client: Client) -> None:
    server.add_model("two", lambda _: {"a": [1], "b": [2]})
    assert list(client.infer("two", {}, outputs=["b"])) == ["b"]
    assert [output.name for output in server.requests()[-1].outputs] == ["b"]


def test_tensors_are_sent_raw(server: FakeServer, client: Client) -> None:
    client.infer("echo", {"x": np.float32([1])})
    request = server.requests()[-1]
    assert list(request.raw_input_contents) == [np.float32([1]).tobytes()]
    assert not request.inputs[0].HasField("contents")


def test_version_and_parameters_reach_the_server(server: FakeServer, client: Client) -> None:
    client.infer("echo", {}, version=1, parameters={"b": True, "i": -5, "f": 0.5, "s": "t"})
    request = server.requests()[-1]
    assert request.model_version == "1"
    assert request.parameters["b"].bool_param is True
    assert request.parameters["i"].int64_param == -5
    assert request.parameters["f"].double_param == 0.5
    assert request.parameters["s"].string_param == "t"


def said(request: Any) -> dict[str, object]:
    """The parameters of a request."""
    return {name: getattr(each, each.WhichOneof("parameter_choice")) for name, each in request.parameters.items()}


@pytest.mark.parametrize("name", [7, "seven"])
def test_a_request_says_where_in_a_sequence_it_is(server: FakeServer, client: Client, name: int | str) -> None:
    client.infer("echo", {}, sequence_id=name, sequence_end=True, priority=2, parameters={"timeout": 9})
    told = said(server.requests()[-1])
    assert told == {"sequence_id": name, "sequence_start": False, "sequence_end": True, "priority": 2, "timeout": 9}


def test_without_a_sequence_nothing_is_said_of_one(server: FakeServer, client: Client) -> None:
    client.infer("echo", {}, sequence_id=0)
    assert said(server.requests()[-1]) == {}


def test_a_sequence_that_starts_has_an_id_and_is_told_once(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="sequence_start and sequence_end need a sequence_id"):
        client.infer("echo", {}, sequence_start=True)
    with pytest.raises(InvalidRequest, match="'sequence_id' is given by its own name and in parameters"):
        client.infer("echo", {}, sequence_id=1, parameters={"sequence_id": 2})


@pytest.mark.parametrize(
    ("value", "message"), [(2**63, "does not fit into 64 bits"), ([1], "must be bool, int, float or str")]
)
def test_a_parameter_no_field_can_hold_is_refused(client: Client, value: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        client.infer("echo", {}, parameters={"p": value})  # type: ignore[dict-item]


def test_a_bare_array_goes_to_the_one_input_and_metadata_is_asked_once(server: FakeServer, client: Client) -> None:
    for _ in range(3):
        assert client.infer("echo", np.float32([1]))["x"].tolist() == [1]
    assert len(server.requests("ModelMetadata")) == 1


def test_a_bare_array_follows_a_model_whose_input_was_renamed(server: FakeServer, client: Client) -> None:
    client.infer("echo", np.float32([1]))

    def picky(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if "new" not in inputs:
            raise InvalidRequest("unexpected inference input 'x'")
        return inputs

    server.add_model("echo", picky, inputs={"new": ("FP32", [-1])})
    with pytest.raises(InvalidRequest, match="unexpected inference input 'x'"):
        client.infer("echo", np.float32([1]))
    assert list(client.infer("echo", np.float32([1]))) == ["new"]


def test_a_bare_array_for_a_model_of_two_inputs_is_refused(server: FakeServer, client: Client) -> None:
    server.add_model("add", lambda inputs: inputs, inputs={"a": ("FP32", [1]), "b": ("FP32", [1])})
    with pytest.raises(InvalidRequest, match=r"model 'add' has 2 inputs \['a', 'b'\]: send a dict of them"):
        client.infer("add", [1.0])


def test_an_output_that_did_not_come_is_named_with_those_that_did(client: Client) -> None:
    result = client.infer("echo", {"x": [1.0]})
    with pytest.raises(UnknownTensor, match=r"^model 'echo' answered no output 'y', only \['x'\]$"):
        result["y"]
    assert result.get("y") is None


def test_metadata(server: FakeServer, client: Client) -> None:
    server.add_model("m", dict, inputs={"0": ("FP32", [-1, 3, 8, 8])}, outputs={"s": ("BYTES", [])}, version="7")
    metadata = client.metadata("m", 7)
    assert (metadata.name, metadata.versions, metadata.platform) == ("m", ("7",), "fake")
    assert metadata.inputs == (TensorMetadata("0", "FP32", (-1, 3, 8, 8)),)
    assert metadata.outputs == (TensorMetadata("s", "BYTES", ()),)


def test_server_metadata(client: Client) -> None:
    assert client.server_metadata().extensions == ("model_repository",)


def test_live_and_ready(server: FakeServer, client: Client) -> None:
    server.add_model("late", dict, state="LOADING")
    assert client.live()
    assert client.ready()
    assert client.ready("echo")
    assert not client.ready("late")
    assert not client.ready("nope")


def test_repository_index(server: FakeServer, client: Client) -> None:
    server.add_model("broken", dict, version="3", state="UNAVAILABLE", reason="no weights")
    assert client.repository_index() == (
        ModelIndex("echo", "1", "READY", ""),
        ModelIndex("broken", "3", "UNAVAILABLE", "no weights"),
    )
    assert [model.name for model in client.repository_index(ready=True)] == ["echo"]


def test_one_client_serves_many_threads(client: Client) -> None:
    def ask(number: int) -> int:
        return int(client.infer("echo", {"x": np.int32([number])})["x"][0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(200))) == list(range(200))


def test_the_deadline_is_the_clients_unless_the_call_names_one(server: FakeServer, client: Client) -> None:
    client.live()
    client.live(timeout=500)
    client.live(timeout=math.inf)
    default, own, none = (call.time_remaining_s for call in server.received)
    assert default is not None
    assert 0 < default < 22  # gRPC rounds up
    assert own is not None
    assert 400 < own < 510
    assert none is None or none > 1e6


def test_a_closed_client_says_so(server: FakeServer) -> None:
    client = Client(server.address)
    client.close()
    with pytest.raises(ClientClosed, match="the client is closed"):
        client.live()


def test_closing_ends_calls_under_way(server: FakeServer, client: Client) -> None:
    started, release = threading.Event(), threading.Event()
    server.add_model("slow", lambda _: {"y": [started.set(), release.wait(30)]})
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.infer, "slow", {})
        started.wait(20)
        client.close()
        with pytest.raises(ClientClosed, match="closed during the call"):
            call.result(20)
        release.set()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": ""}, "address must be host:port"),
        ({"address": "a b:1"}, "address must be host:port, got 'a b:1'"),
        ({"timeout": 0}, "timeout must be a positive number of seconds, got 0"),
        ({"timeout": math.nan}, "got nan"),
        ({"max_message_bytes": 0}, "max_message_bytes must be"),
        ({"max_message_bytes": 2**31}, "max_message_bytes must be"),
        ({"server_cert": "ca.pem"}, "certificates were given, but tls is off"),
        ({"tls": True, "client_cert": "c.pem"}, "belong together: client_key is missing"),
        ({"tls": True, "client_key": "c.pem"}, "belong together: client_cert is missing"),
        ({"tls": True, "server_cert": "/no/such.pem"}, "server_cert: cannot read /no/such.pem: No such file"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSetup, match=message):
        Client(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "ipv4:127.0.0.1", "dns:///localhost"])
def test_loopback_addresses_bypass_any_proxy(host: str) -> None:
    assert is_local(f"{host}:9000")
    assert not is_local("models.example.org:9000")
    assert not is_local("10.0.0.1:9000")
    assert is_local("unix:/run/ovserve.sock")


def test_a_proxy_in_the_environment_does_not_keep_from_loopback(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Client(server.address) as client:
        assert client.live()


def test_a_model_unknown_to_the_server_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound, match="Request for unknown model: 'nope' is not found"):
        client.infer("nope", {"x": [1.0]})
