"""What both clients send over REST."""

import math
from typing import Any

import numpy as np
import pytest

from canned_http import BINARY, CannedServer, answer, inference, output, raw
from ovclient import Client, ConnectionFailed, MessageTooLarge, _rest_idle

X = np.zeros(2, np.float32)


def test_tensors_go_as_binary_data_behind_the_json(server: CannedServer, client: Client) -> None:
    server.answer = inference([output(**BINARY)], X.tobytes())
    x = np.array([1, 2], np.float32)
    client.infer("a/b", {"x": x, "t": ["\0é"]}, version=3, outputs=["y"], id="r")
    (heard,) = server.heard
    assert (heard.method, heard.path) == ("POST", "/v2/models/a%2Fb/versions/3/infer")
    assert heard.document == {
        "id": "r",
        "parameters": {"timeout": 20_000_000, "binary_data_output": True},
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            {"name": "t", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 7}},
        ],
        "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
    }
    assert heard.body.endswith(x.tobytes() + b"\3\0\0\0\0\xc3\xa9")


@pytest.mark.parametrize(
    ("timeout", "parameters", "told"),
    [(1.5, {}, 1_500_000), (math.inf, {}, None), (4000, {}, None), (2, {"timeout": 7}, 7)],
)
def test_the_server_is_told_how_long_the_answer_is_of_use(
    server: CannedServer, client: Client, timeout: float, parameters: dict[str, int], told: int | None
) -> None:
    server.answer = inference([])
    client.infer("m", {"x": X}, timeout=timeout, parameters=parameters)
    assert server.heard[0].document["parameters"].get("timeout") == told


def test_a_key_goes_with_each_call(twin: Any, server: CannedServer) -> None:
    with twin(server.address, api_key="s3cret") as client:
        assert client.live()
    assert server.heard[0].headers["authorization"] == "Bearer s3cret"


def test_a_path_in_the_address_stands_before_each_path(twin: Any, server: CannedServer) -> None:
    with twin(f"{server.address}/models/") as client:
        assert client.ready("m")
    assert server.heard[0].path == "/models/v2/models/m/ready"


def test_calls_share_a_connection_and_make_a_new_one_where_the_server_closed_it(
    server: CannedServer, client: Client
) -> None:
    client.live()
    client.ready()
    server.answer = answer(200, connection="close")
    client.live()
    client.live()
    assert [heard.connection for heard in server.heard] == [1, 1, 1, 2]


def test_a_connection_that_rested_long_is_not_used_again(
    server: CannedServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.live()
    client.live()
    monkeypatch.setattr(_rest_idle, "IDLE_S", 0)
    client.live()
    assert [heard.connection for heard in server.heard] == [1, 1, 2]


def test_a_request_that_may_have_had_its_effect_is_not_sent_again(server: CannedServer, client: Client) -> None:
    server.answer = raw(b"")
    with pytest.raises(ConnectionFailed, match=f"lost the connection to {server.address}"):
        client.infer("m", {"x": X})
    assert len(server.heard) == 1


def test_messages_have_a_limit_in_both_directions(twin: Any, server: CannedServer) -> None:
    with twin(server.address, max_message_bytes=1000) as client:
        server.answer = answer(200, b" " * 1001)
        with pytest.raises(MessageTooLarge, match="the answer is larger than max_message_bytes, 1000"):
            client.metadata("m")
        with pytest.raises(MessageTooLarge, match=r"a request of \d+ bytes is larger"):
            client.infer("m", {"x": np.zeros(250, np.float32)})
        assert len(server.heard) == 1
