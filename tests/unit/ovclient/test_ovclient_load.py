import asyncio
import json
import math

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from ovclient import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    MessageTooLarge,
    NotFound,
    NotReady,
    ServerFailure,
)
from ovclient.testing import FakeServer


def parameters(server: FakeServer) -> dict[str, tuple[str | None, object]]:
    """Field and value of each parameter of the last load."""
    request = server.requests("RepositoryModelLoad")[-1]
    fields = {key: (value.WhichOneof("parameter_choice"), value) for key, value in request.parameters.items()}
    return {key: (field, getattr(value, field or "")) for key, (field, value) in fields.items()}


def states(client: Client) -> dict[str, tuple[str, str, str]]:
    return {row.name: (row.version, row.state, row.reason) for row in client.repository_index()}


def test_a_load_makes_a_model_ready_and_an_unload_takes_it_away(server: FakeServer, client: Client) -> None:
    server.add_model("late", lambda inputs: inputs, state="")
    assert states(client)["late"] == ("", "", "")
    with pytest.raises(NotFound, match="'late' has no available versions"):
        client.infer("late", {"x": [1]})
    client.load_model("late")
    assert parameters(server) == {}
    assert states(client)["late"] == ("1", "READY", "")
    assert client.infer("late", {"x": [1]})["x"].tolist() == [1]
    client.unload_model("late")
    assert states(client)["late"] == ("1", "UNAVAILABLE", "unloaded")
    assert not client.ready("late")
    with pytest.raises(NotFound, match="'late' has no available versions"):
        client.metadata("late")
    client.load_model("late")
    assert client.ready("late")


def test_the_async_client_loads_and_unloads(server: FakeServer) -> None:
    server.add_model("late", dict, state="")

    async def main() -> None:
        async with AsyncClient(server.address) as client:
            await client.load_model("late", {"backend": "openvino"}, {"1/model.onnx": b"onnx"})
            assert parameters(server)["file:1/model.onnx"] == ("bytes_param", b"onnx")
            assert await client.ready("late")
            await client.unload_model("late", unload_dependents=True)
            assert not await client.ready("late")
            with pytest.raises(ServerFailure, match="failed to load 'nope'"):
                await client.load_model("nope")

    asyncio.run(main())
    loads, unloads = (
        [call for call in server.received if call.rpc == f"RepositoryModel{what}"] for what in ("Load", "Unload")
    )
    assert all(500 < call.time_remaining_s < 602 for call in (*loads, *unloads))


def test_a_config_is_sent_as_json_whether_text_or_dict(server: FakeServer, client: Client) -> None:
    client.load_model("echo", config='{"backend":  "openvino"}')
    assert parameters(server) == {"config": ("string_param", '{"backend":  "openvino"}')}
    client.load_model("echo", {"parameters": {"DEVICE": {"string_value": "CPU"}}})
    field, text = parameters(server)["config"]
    assert (field, json.loads(text)) == ("string_param", {"parameters": {"DEVICE": {"string_value": "CPU"}}})


def test_files_are_sent_under_their_paths_with_and_without_the_prefix(server: FakeServer, client: Client) -> None:
    client.load_model("echo", "{}", {"file:1/model.xml": b"<net/>", "1/model.bin": b"\0\xff"})
    assert parameters(server) == {
        "config": ("string_param", "{}"),
        "file:1/model.xml": ("bytes_param", b"<net/>"),
        "file:1/model.bin": ("bytes_param", b"\0\xff"),
    }


@pytest.mark.parametrize(
    ("config", "files", "sentence"),
    [
        ({"x": math.nan}, None, "model 'echo': config cannot be written as JSON: "),
        ({"x": object()}, None, "model 'echo': config cannot be written as JSON: "),
        (None, {"1/model.onnx": "text"}, "model 'echo': file '1/model.onnx' must be bytes, got str"),
        (None, {"1/m.onnx": b"", "file:1/m.onnx": b""}, "model 'echo': file '1/m.onnx' is given twice"),
    ],
)
def test_what_cannot_be_sent_is_not(
    server: FakeServer, client: Client, config: object, files: object, sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{sentence}"):
        client.load_model("echo", config, files)
    assert server.received == []


def test_files_larger_than_any_message_are_refused_at_once(client: Client) -> None:
    with pytest.raises(MessageTooLarge, match="files of 2147483648 bytes; one message carries at most"):
        client.load_model("echo", files={"1/model.bin": bytes(2**31)})  # never touched, so it takes no memory


def test_files_over_the_clients_limit_are_too_large(server: FakeServer) -> None:
    with Client(server.address, max_message_bytes=1000) as client, pytest.raises(MessageTooLarge, match="larger than"):
        client.load_model("echo", files={"1/model.bin": bytes(2000)})


@pytest.mark.parametrize(
    ("clients_s", "given_s", "waits_s"), [(5, None, 600), (900, None, 900), (5, 7, 7), (5, math.inf, None)]
)
def test_a_load_waits_for_minutes_unless_told_otherwise(
    server: FakeServer, clients_s: float, given_s: float | None, waits_s: float | None
) -> None:
    with Client(server.address, timeout=clients_s) as client:
        client.load_model("echo", timeout=given_s)
        client.unload_model("echo", timeout=given_s)
    remaining_s = [call.time_remaining_s for call in server.received]
    if waits_s is None:
        assert all(seconds is None or seconds > 1e6 for seconds in remaining_s)
    else:
        assert all(waits_s - 5 < seconds < waits_s + 2 for seconds in remaining_s)  # gRPC rounds long ones up


def test_an_unload_says_whether_dependents_go_too(server: FakeServer, client: Client) -> None:
    client.unload_model("echo")
    client.unload_model("echo", unload_dependents=True)
    requests = server.requests("RepositoryModelUnload")
    assert [request.parameters["unload_dependents"].bool_param for request in requests] == [False, True]


def test_an_unload_of_an_unknown_model_is_fine(client: Client) -> None:
    client.unload_model("nope")


def test_an_unknown_model_is_told_as_triton_tells_it(client: Client) -> None:
    sentence = "^failed to load 'nope', failed to poll from model repository$"
    with pytest.raises(ServerFailure, match=sentence) as caught:
        client.load_model("nope")
    assert caught.value.code is grpc.StatusCode.INTERNAL


def test_a_model_with_a_reason_refuses_to_load(server: FakeServer, client: Client) -> None:
    server.add_model("broken", dict, version="2", state="UNAVAILABLE", reason="no weights")
    sentence = "^load failed for model 'broken': version 2 is at UNAVAILABLE state: no weights;$"
    with pytest.raises(InvalidRequest, match=sentence):
        client.load_model("broken")
    assert states(client)["broken"] == ("2", "UNAVAILABLE", "no weights")


def test_errors_and_answers_told_beforehand_change_no_model(server: FakeServer, client: Client) -> None:
    server.add_model("late", dict, state="LOADING")
    server.fail("RepositoryModelLoad", grpc.StatusCode.UNAVAILABLE, "only in mode explicit")
    with pytest.raises(NotReady, match="only in mode explicit"):
        client.load_model("late")
    server.fail("RepositoryModelLoad", grpc.StatusCode.DEADLINE_EXCEEDED)
    with pytest.raises(DeadlineExceeded, match="within 3 s"):
        client.load_model("late", timeout=3)
    server.answer("RepositoryModelLoad", pb.RepositoryModelLoadResponse())
    server.answer("RepositoryModelUnload", pb.RepositoryModelUnloadResponse())
    client.load_model("late")
    client.unload_model("echo")
    assert states(client) == {"echo": ("1", "READY", ""), "late": ("1", "LOADING", "")}


@pytest.mark.parametrize("change", ["load_model", "unload_model"])
def test_the_name_of_a_models_only_input_is_asked_anew_after_it_was_replaced(
    server: FakeServer, client: Client, change: str
) -> None:
    client.infer("echo", np.float32([1]))
    getattr(client, change)("echo")
    server.add_model("echo", lambda inputs: inputs, inputs={"z": ("FP32", [-1])})
    assert list(client.infer("echo", np.float32([1]))) == ["z"]
