"""When the server says that it is ready."""

import shutil
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import small_models
from server_process import ServerProcess
from watched import Watched, adding

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def health(server: ServerProcess, service: str = "") -> int:
    with grpc.insecure_channel(server.address) as channel:
        return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service)).status


def broken(folder: Path) -> Path:
    small_models.save(adding(1), folder)
    (folder / "model.xml").write_text("<net>")
    return folder


def test_by_default_a_failed_model_leaves_the_server_ready(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "good/1")
    broken(repository / "bad/1")
    one = watched()
    assert one.client.ready()
    assert health(one.server) == SERVING


def test_if_strict_a_failed_model_does_not(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "good/1")
    broken(repository / "bad/1")
    one = watched("--strict-readiness", "true")
    assert not one.client.ready()
    assert health(one.server) == health(one.server, "bad") == NOT_SERVING
    assert one.client.ready("good")
    assert health(one.server, "good") == SERVING
    assert one.answer("good") == 1


def test_if_strict_readiness_follows_the_repository(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "good/1")
    one = watched("--strict_readiness")
    assert one.client.ready()
    broken(repository / "bad/1")
    one.wait(lambda: not one.client.ready(), "waiting for the broken model to count")
    one.wait(lambda: health(one.server) == NOT_SERVING)
    shutil.rmtree(repository / "bad")
    one.wait(one.client.ready, "waiting for the broken model to be forgotten")
    one.wait(lambda: health(one.server) == SERVING)
    small_models.save(adding(1), repository / "new/1")
    one.wait_answer(1, "new")
    one.wait(one.client.ready)


def test_if_strict_a_model_that_was_unloaded_does_not_count(watched: Callable[..., Watched], repository: Path) -> None:
    small_models.save(adding(1), repository / "m/1")
    small_models.save(adding(1), repository / "never_asked_for/1")
    one = watched("--strict_readiness", "--model_control_mode", "explicit", "--load_model", "m")
    assert one.client.ready()
    one.client.unload_model("m")
    assert one.client.ready()
