"""With slots and queue held full by a slow model, probes answer, the rest is refused at once, nothing leaks."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as pb_grpc

import small_models
from server_process import ServerProcess

SLOTS = 2
OK, REFUSED, EXPIRED, CANCELLED = (
    grpc.StatusCode.OK,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)

StartSlow = Callable[[int], ServerProcess]


@pytest.fixture
def start(serve: Callable[..., ServerProcess], tmp_path: Path) -> StartSlow:
    """Start a server of the slow model with two slots and a queue of the length given."""

    def start(max_queue: int) -> ServerProcess:
        small_models.save(small_models.slow(), tmp_path / "slow" / "1")
        return serve("--model_repository", str(tmp_path), "--nireq", str(SLOTS), "--max_queue", str(max_queue))

    return start


@pytest.fixture
def connect() -> Iterator[Callable[[ServerProcess], pb_grpc.GRPCInferenceServiceStub]]:
    channels = []

    def connect(server: ServerProcess) -> pb_grpc.GRPCInferenceServiceStub:
        channels.append(grpc.insecure_channel(server.address))
        return pb_grpc.GRPCInferenceServiceStub(channels[-1])

    yield connect
    for channel in channels:
        channel.close()


Connect = Callable[[ServerProcess], pb_grpc.GRPCInferenceServiceStub]


def rounds(count: int, timeout_s: float | None = None) -> pb.ModelInferRequest:
    """A request that takes about `count` times half a millisecond; the server gives up waiting after `timeout_s`.

    A client that gives up by itself knows it before the server does.
    """
    request = pb.ModelInferRequest(model_name="slow")
    request.inputs.add(name="n", datatype="INT64", shape=[])
    request.raw_input_contents.append(np.int64(count).tobytes())
    if timeout_s is not None:
        request.parameters["timeout"].int64_param = int(timeout_s * 1e6)
    return request


def hold_all_slots(stub: pb_grpc.GRPCInferenceServiceStub, count: int) -> list[grpc.Future]:
    """Occupy both slots for `count` rounds; when this returns, whoever comes next has to wait."""
    while True:
        held = [stub.ModelInfer.future(rounds(count)) for _ in range(SLOTS)]
        if stub.ModelInfer.future(rounds(1, 0.3)).code() is EXPIRED:
            return held
        assert codes(held) == [OK] * SLOTS  # it has overtaken one of them


def codes(calls: list[grpc.Future]) -> list[grpc.StatusCode]:
    return [call.code() for call in calls]


def test_with_200_calls_waiting_probes_answer_and_the_surplus_is_refused(start: StartSlow, connect: Connect) -> None:
    server = start(200)
    stub = connect(server)
    held = hold_all_slots(stub, 8000)
    refused = threading.Semaphore(0)
    calls = [stub.ModelInfer.future(rounds(1)) for _ in range(260)]
    for call in calls:
        call.add_done_callback(lambda call: refused.release() if call.code() is REFUSED else None)
    for _ in range(60):
        assert refused.acquire(timeout=30)

    with triton.InferenceServerClient(server.address) as probe:
        assert probe.is_server_live()
        assert probe.is_server_ready()
        assert probe.is_model_ready("slow")
        assert probe.get_model_metadata("slow").name == "slow"
    with pytest.raises(grpc.RpcError, match="model 'slow' version 1: 200 requests are waiting already") as one_more:
        stub.ModelInfer(rounds(1))
    assert one_more.value.code() is REFUSED
    assert not any(call.done() for call in held), "the slow requests ended too early for this test to show anything"

    assert codes(held) == [OK] * SLOTS
    assert sorted(codes(calls), key=str) == [OK] * 200 + [REFUSED] * 60


def test_cancelled_requests_leave_the_queue(start: StartSlow, connect: Connect) -> None:
    stub = connect(start(3))
    held = hold_all_slots(stub, 3000)
    for _ in range(20):
        waiting = [stub.ModelInfer.future(rounds(1)) for _ in range(3)]
        for call in waiting:
            call.cancel()
        assert codes(waiting) == [CANCELLED] * 3
    admitted = [stub.ModelInfer.future(rounds(1), timeout=30) for _ in range(3)]
    assert not any(call.done() for call in held)
    assert codes(admitted) == [OK] * 3


def test_expired_requests_leave_the_queue(start: StartSlow, connect: Connect) -> None:
    stub = connect(start(6))
    held = hold_all_slots(stub, 3000)
    for _ in range(2):  # with those admitted, more than may wait; a client may know it before the server does
        expired = [stub.ModelInfer.future(rounds(1), timeout=0.05) for _ in range(3)]
        assert codes(expired) == [EXPIRED] * 3
    admitted = [stub.ModelInfer.future(rounds(1), timeout=30) for _ in range(3)]
    assert not any(call.done() for call in held)
    assert codes(admitted) == [OK] * 3


def test_after_a_storm_of_cancellations_every_slot_serves_again(start: StartSlow, connect: Connect) -> None:
    stub = connect(start(400))
    chance = np.random.default_rng(0)
    calls = []
    for _ in range(300):
        calls.append(stub.ModelInfer.future(rounds(20), timeout=float(chance.choice([0.01, 0.05, 30]))))
        if chance.random() < 0.5:
            calls[-1].cancel()
    assert set(codes(calls)) <= {OK, EXPIRED, CANCELLED}
    # A slot lost would leave one, a slot released twice would let two requests into one ("Infer Request is busy").
    again = [stub.ModelInfer.future(rounds(20), timeout=60) for _ in range(20)]
    assert codes(again) == [OK] * 20
