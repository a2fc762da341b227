"""--load_wait_seconds: a request for a version that is still loading waits for it."""

import time
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np

import small_models
from ovclient import Client
from watched import Watched, adding
from wire_server import Wire, answer, request

X = np.zeros((1, 2), np.float32)
MOST_WAITING = 64


def half_copied(one: Watched, repository: Path) -> bytes:
    """Have version 1 of m loading, for want of the weights that are returned."""
    folder = small_models.save(adding(7), repository.parent / "m/1")
    weights = (folder / "model.bin").read_bytes()
    (folder / "model.bin").unlink()
    (repository.parent / "m").rename(repository / "m")
    one.wait_state("1", "LOADING", "not complete yet")
    return weights


def test_by_default_it_is_refused_at_once(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched()
    half_copied(one, repository)
    wire = Wire(one.server.address)
    refusal = wire.infer(request("m", {"x": X}))
    assert refusal.code is grpc.StatusCode.UNAVAILABLE
    assert "model 'm' is still loading; try again later" in refusal.details
    wire.close()


def test_it_is_answered_once_the_version_is_loaded(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched("--load_wait_seconds", "60")
    weights = half_copied(one, repository)
    wire = Wire(one.server.address)
    waiting = [wire.future("ModelInfer", request("m", {"x": X}, model_version=version)) for version in ("", "1")]
    (repository / "m/1/model.bin").write_bytes(weights)
    assert [answer(call).outputs["y"].tolist() for call in waiting] == [[[7, 7]]] * 2
    wire.close()


def test_it_is_refused_when_its_patience_is_over(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched("--load_wait_seconds", "0.3")
    half_copied(one, repository)
    wire = Wire(one.server.address)
    started_s = time.monotonic()
    refusal = wire.infer(request("m", {"x": X}))
    assert refusal.code is grpc.StatusCode.UNAVAILABLE
    assert "still loading" in refusal.details
    assert time.monotonic() - started_s >= 0.3
    wire.close()


def test_its_own_deadline_and_its_client_come_first(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched("--load_wait_seconds", "60")
    weights = half_copied(one, repository)
    with grpc.insecure_channel(one.server.address) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        message = request("m", {"x": X}).SerializeToString()
        late = infer.future(message, timeout=0.3)
        assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        gone = infer.future(message)
        gone.cancel()
    (repository / "m/1/model.bin").write_bytes(weights)
    one.wait_answer(7)
    assert one.server.stop() == 0
    assert "[error" not in one.server.log


def test_many_that_wait_keep_nobody_else_waiting(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "good/1")
    one = watched("--load_wait_seconds", "60", "--nireq", "1", "--max_queue", "0")
    weights = half_copied(one, repository)
    with Client(one.server.address) as client:
        wire = Wire(one.server.address)
        calls = [wire.future("ModelInfer", request("m", {"x": X})) for _ in range(MOST_WAITING + 40)]
        one.wait(lambda: sum(call.done() for call in calls) == 40, "waiting for the surplus to be refused")
        assert client.infer("good", X)["y"].tolist() == [[1, 1]]
        assert client.ready()
        refused = [call for call in calls if call.done()]
        assert {call.code() for call in refused} == {grpc.StatusCode.UNAVAILABLE}
        (repository / "m/1/model.bin").write_bytes(weights)
        codes = {call.code() for call in calls if call not in refused}
        assert grpc.StatusCode.OK in codes
        assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}  # there is no queue here
        wire.close()


def test_stopping_refuses_those_who_wait(watched: Callable[..., Watched], repository: Path) -> None:
    one = watched("--load_wait_seconds", "600")
    half_copied(one, repository)
    with grpc.insecure_channel(one.server.address) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        message = request("m", {"x": X}).SerializeToString()
        call = infer.future(message)
        assert infer.future(message, timeout=0.3).code() is grpc.StatusCode.DEADLINE_EXCEEDED  # so the first waits too
        assert one.server.stop() == 0
        assert call.code() is grpc.StatusCode.UNAVAILABLE
        assert "the server is stopping" in call.details()
