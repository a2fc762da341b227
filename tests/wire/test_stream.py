"""ModelStreamInfer: as tritonclient uses it, and as nobody should."""

import asyncio
import queue
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2 as pb

import small_models
from server_process import ServerProcess
from wire_server import SERVICE, Wire, request

PATH = f"/{SERVICE.full_name}/ModelStreamInfer"
ROUNDS = 150  # of the slow model: some 300 ms


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    root = tmp_path_factory.mktemp("slow")
    small_models.save(small_models.slow(), root / "slow/1")
    small_models.save(small_models.add_one([-1]), root / "m/1")
    server = ServerProcess("--model_repository", str(root), "--nireq", "1")
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log


def slow(rounds: int, request_id: str = "") -> bytes:
    return request("slow", {"n": np.array(rounds, np.int64)}, id=request_id).SerializeToString()


def dyn(request_id: str, **change: Any) -> pb.ModelInferRequest:
    a = np.ones((1, 4), np.float32)
    message = request("dyn", {"a": a, "b": a}, id=request_id)
    for name, value in change.items():
        setattr(message, name, value)
    return message


def call(channel: grpc.Channel, requests: Iterator[bytes], timeout: float | None = 60) -> Any:
    return channel.stream_stream(PATH)(requests, timeout=timeout)


def answers(stream: Any) -> dict[str, pb.ModelStreamInferResponse]:
    found = map(pb.ModelStreamInferResponse.FromString, stream)
    return {answer.infer_response.id: answer for answer in found}


def from_queue(requests: "queue.SimpleQueue[bytes | None]") -> Iterator[bytes]:
    while (data := requests.get()) is not None:
        yield data


def test_tritonclient_streams_many_requests(server: ServerProcess, wire: Wire) -> None:
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with triton.InferenceServerClient(server.address) as client:
        client.start_stream(callback=lambda result, error: got.put((result, error)))
        inputs = []
        for name in "ab":
            inputs.append(triton.InferInput(name, [2, 4], "FP32"))
            inputs[-1].set_data_from_numpy(np.full((2, 4), 2, np.float32))
        for number in range(100):
            client.async_stream_infer("dyn", inputs, request_id=str(number))
        results = [got.get(timeout=60) for _ in range(100)]
        client.stop_stream()
    assert [error for _, error in results if error is not None] == []
    assert {result.get_response().id for result, _ in results} == set(map(str, range(100)))
    assert all((result.as_numpy("sum") == 4).all() for result, _ in results)


def test_the_asynchronous_tritonclient_streams_too(server: ServerProcess, wire: Wire) -> None:
    x = triton.InferInput("x", [3], "FP32")
    x.set_data_from_numpy(np.arange(3, dtype=np.float32))

    async def ask() -> list[list[float]]:
        async def requests() -> Any:
            for _ in range(5):
                yield {"model_name": "grow", "inputs": [x]}

        async with triton_aio.InferenceServerClient(server.address) as client:
            return [
                result.as_numpy("y").tolist() async for result, error in client.stream_infer(requests()) if not error
            ]

    assert asyncio.run(ask()) == [[1, 2, 3]] * 5


def test_an_answer_says_that_it_is_the_last(wire: Wire) -> None:
    (answer,) = answers(call(wire.channel, iter([dyn("1").SerializeToString()]))).values()
    assert answer.infer_response.parameters["triton_final_response"].bool_param


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (dyn("bad", model_name="nope").SerializeToString(), "[request id: bad] model 'nope' is not found"),
        (dyn("bad", model_version="x").SerializeToString(), "[request id: bad] model 'dyn': version 'x' is not valid"),
        (b"\xff", "the message is not a valid inference.ModelInferRequest"),
    ],
)
def test_a_bad_request_is_told_and_the_stream_goes_on(wire: Wire, bad: bytes, sentence: str) -> None:
    stream = call(wire.channel, iter([dyn("1").SerializeToString(), bad, dyn("2").SerializeToString()]))
    found = answers(stream)
    refused = found.pop("" if bad == b"\xff" else "bad")
    assert refused.error_message.startswith(sentence)
    assert not refused.infer_response.outputs
    assert {name: answer.error_message for name, answer in found.items()} == {"1": "", "2": ""}
    assert stream.code() is grpc.StatusCode.OK


def test_a_stream_without_requests_ends_well(wire: Wire) -> None:
    stream = call(wire.channel, iter(()))
    assert (list(stream), stream.code()) == ([], grpc.StatusCode.OK)


def test_what_is_done_first_is_answered_first(slow_server: ServerProcess) -> None:
    quick = request("m", {"x": np.zeros(1, np.float32)}, id="quick").SerializeToString()
    with grpc.insecure_channel(slow_server.address) as channel:
        order = list(answers(call(channel, iter([slow(ROUNDS, "slow"), quick]))))
    assert order == ["quick", "slow"]


def test_requests_of_a_stream_wait_in_the_models_queue(slow_server: ServerProcess) -> None:
    with grpc.insecure_channel(slow_server.address) as channel:
        found = answers(call(channel, (slow(1, str(number)) for number in range(60))))
    assert {answer.error_message for answer in found.values()} == {""}
    assert len(found) == 60


def test_a_deadline_ends_the_stream_and_what_waits_in_it(slow_server: ServerProcess) -> None:
    with grpc.insecure_channel(slow_server.address) as channel:
        stream = call(channel, (slow(10 * ROUNDS) for _ in range(10)), timeout=0.5)
        with pytest.raises(grpc.RpcError):
            list(stream)
        assert stream.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # Ten of them would take half a minute: they have left the queue.
        assert Wire(slow_server.address).infer(slow(1)).code is grpc.StatusCode.OK


def test_a_cancelled_stream_leaves_the_queue(slow_server: ServerProcess) -> None:
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with grpc.insecure_channel(slow_server.address) as channel:
        stream = call(channel, from_queue(requests))
        requests.put(slow(1))
        next(stream)
        for _ in range(10):
            requests.put(slow(10 * ROUNDS))
        stream.cancel()
        requests.put(None)
        assert Wire(slow_server.address).infer(slow(1)).code is grpc.StatusCode.OK


def test_a_client_who_does_not_read_keeps_nobody_waiting(slow_server: ServerProcess) -> None:
    big = request("m", {"x": np.zeros(1 << 18, np.float32)}).SerializeToString()
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with grpc.insecure_channel(slow_server.address) as channel:
        stream = call(channel, from_queue(requests))
        for _ in range(100):
            requests.put(big)
        for _ in range(20):
            assert Wire(slow_server.address).infer(slow(1)).code is grpc.StatusCode.OK
        requests.put(None)
        assert len(list(stream)) == 100


def test_hundreds_of_idle_streams_keep_nobody_waiting(server: ServerProcess, wire: Wire) -> None:
    idle: list[queue.SimpleQueue[bytes | None]] = [queue.SimpleQueue() for _ in range(500)]
    streams = [call(wire.channel, from_queue(requests), timeout=None) for requests in idle]
    for requests, stream in zip(idle, streams, strict=True):
        requests.put(dyn("1").SerializeToString())
        next(stream)
    assert wire.infer(dyn("2")).code is grpc.StatusCode.OK
    assert wire.call("ServerReady", b"").code is grpc.StatusCode.OK
    for requests in idle:
        requests.put(None)
    assert {stream.code() for stream in streams} == {grpc.StatusCode.OK}


def test_the_number_of_streams_is_bounded(server: ServerProcess, wire: Wire) -> None:
    end = threading.Event()

    def nothing() -> Iterator[bytes]:
        yield dyn("1").SerializeToString()
        end.wait()

    streams: list[Any] = []

    def open_more() -> None:
        while len(streams) < 514:
            streams.append(call(wire.channel, nothing(), timeout=None))
            next(streams[-1])

    with pytest.raises(grpc.RpcError):
        open_more()
    refused = streams.pop()
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.details() == "512 streams are open already, as many as there may be"
    end.set()
    assert {stream.code() for stream in streams} == {grpc.StatusCode.OK}


def test_a_server_that_stops_answers_and_ends_streams(tmp_path: Path) -> None:
    small_models.save(small_models.slow(), tmp_path / "slow/1")
    server = ServerProcess("--model_repository", str(tmp_path), "--nireq", "1")
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with grpc.insecure_channel(server.address) as channel:
        idle = call(channel, from_queue(requests))
        requests.put(slow(1))
        next(idle)
        requests.put(slow(ROUNDS, "last"))
        requests.put(slow(1, "behind"))
        assert list(answers([next(idle)])) == ["last"]
        assert server.stop(signal.SIGTERM, timeout_s=20) == 0
        rest = []
        with pytest.raises(grpc.RpcError):
            rest.extend(idle)
        assert (idle.code(), idle.details()) == (grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        requests.put(None)
