import grpc
import numpy as np
import pytest

from ovclient import Client, InvalidRequest, NotFound, NotReady, Overloaded, ServerFailure
from ovclient.testing import FakeServer


def test_requests_are_recorded_with_their_arrays(server: FakeServer, client: Client) -> None:
    client.live()
    client.infer("echo", {"x": np.float32([1, 2])})
    assert [call.rpc for call in server.received] == ["ServerLive", "ModelInfer"]
    assert server.inputs()["x"].tolist() == [1, 2]


def test_an_error_lasts_until_it_is_taken_back(server: FakeServer, client: Client) -> None:
    server.fail("ModelInfer", grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full")
    with pytest.raises(Overloaded, match="the queue is full"):
        client.infer("echo", {})
    server.answer("ModelInfer", None)
    assert dict(client.infer("echo", {})) == {}


def test_what_a_function_raises_is_a_server_failure(server: FakeServer, client: Client) -> None:
    server.add_model("bad", lambda inputs: inputs["nope"])
    with pytest.raises(ServerFailure, match="model 'bad': KeyError: 'nope'"):
        client.infer("bad", {})


def test_unknown_names_and_models_not_ready_are_refused_as_by_a_real_server(server: FakeServer, client: Client) -> None:
    server.add_model("late", dict, state="LOADING")
    with pytest.raises(NotReady, match="model 'late' is LOADING"):
        client.infer("late", {})
    with pytest.raises(NotFound, match="'echo' version 9"):
        client.infer("echo", {}, version=9)
    with pytest.raises(InvalidRequest, match="model 'echo' has no output 'y'"):
        client.infer("echo", {"x": [1.0]}, outputs=["y"])


def test_two_servers_run_side_by_side() -> None:
    with FakeServer() as one, FakeServer() as two:
        assert one.port != two.port
