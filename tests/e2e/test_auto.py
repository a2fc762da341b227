"""`auto` over a real socket, with the real OpenVINO: what is compiled goes on while one compilation stands still."""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import openvino as ov
import pytest

import small_models
from ovclient import Client, InvalidRequest, Overloaded
from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.engine.reshaper import Reshaper, Slots
from ovserve.frontends.grpc.server import GrpcServer
from ovserve.http2.limits import Limits
from ovserve.tensors import Shape


class Served:
    """One model behind a socket of this process, so that a test can look at its variants."""

    def __init__(self, core: Core) -> None:
        core.load()
        self.model = core.registry.find("m")
        self._server = GrpcServer(
            core.dataplane, core.control, core.registry, core.shared_memory, limits=Limits(1 << 20)
        )
        (self.address,) = self._server.bind(["127.0.0.1"], 0)
        self._server.start()
        core.dataplane.open()

    def stop(self) -> None:
        self._server.stop(0)


class Gate:
    """Stands between the real compiler and those who want it, open until it is shut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.arrived = threading.Event()
        self.compilations: list[tuple[Shape, ...]] = []
        compile_shapes = Reshaper.compile

        def gated(reshaper: Reshaper, shapes: tuple[Shape, ...]) -> Slots:
            self.compilations.append(shapes)
            self.arrived.set()
            assert self.open.wait(60)
            return compile_shapes(reshaper, shapes)

        monkeypatch.setattr(Reshaper, "compile", gated)

    def shut(self) -> None:
        self.open.clear()
        self.arrived.clear()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()


Start = Callable[..., Served]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Served] = []

    def start(model: ov.Model, **settings: Any) -> Served:
        small_models.save(model, tmp_path / "m/1")
        started.append(Served(compose(Settings(model_name="m", model_path=tmp_path / "m", shape="auto", **settings))))
        return started[-1]

    yield start
    for served in started:
        served.stop()


def ask(client: Client, length: int) -> np.ndarray:
    """Ask the model `tens` for the greatest of 0..9, 10..19, ... (plus 100)."""
    return client.infer("m", np.arange(length, dtype=np.float32).reshape(1, 1, length))["y"]


def test_with_one_compilation_blocked_compiled_shapes_go_on_and_one_compilation_serves_ten(
    start: Start, gate: Gate
) -> None:
    served = start(small_models.tens(), nireq=2)
    expected = [109, 119, 129, 139]
    with Client(served.address) as client, ThreadPoolExecutor(20) as threads:
        assert ask(client, 45).tolist() == ask(client, 41).tolist() == expected
        gate.shut()
        new = [threads.submit(ask, client, 42) for _ in range(10)]
        assert gate.arrived.wait(60)
        old = [threads.submit(ask, client, length) for length in (41, 45) for _ in range(50)]
        assert all(future.result(60).tolist() == expected for future in as_completed(old, 60))
        assert not any(future.done() for future in new)
        gate.open.set()
        assert all(future.result(60).tolist() == expected for future in new)
    assert gate.compilations == [((1, 1, 41),), ((1, 1, 42),)]


def test_where_a_dynamic_model_takes_new_shapes_nobody_waits_for_a_compilation(start: Start, gate: Gate) -> None:
    served = start(small_models.add_one([1, 2]))
    gate.shut()
    with Client(served.address) as client, ThreadPoolExecutor(10) as threads:
        futures = [threads.submit(client.infer, "m", np.zeros((3, 5), np.float32)) for _ in range(10)]
        assert all((future.result(60)["y"] == np.ones((3, 5))).all() for future in futures)
        assert gate.arrived.wait(60)
        assert served.model.compiled_shapes == ()
        gate.open.set()
        while served.model.compiled_shapes == ():
            client.infer("m", np.zeros((3, 5), np.float32))
        assert (client.infer("m", np.zeros((3, 5), np.float32))["y"] == np.ones((3, 5))).all()
    assert (served.model.compiled_shapes, gate.compilations) == ((((3, 5),),), [((3, 5),)])


def test_a_shape_the_model_cannot_take_is_told_why_and_others_keep_serving(start: Start) -> None:
    served = start(small_models.tens())
    with Client(served.address) as client:
        for length in (39, 50, 39):
            with pytest.raises(InvalidRequest) as refused:
                ask(client, length)
            assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
            assert str(refused.value).startswith(
                f"model 'm' version 1: Model could not be reshaped with requested shape - (1,1,{length}): "
            )
            assert "Argument shapes are inconsistent" in str(refused.value)
            assert ".cpp" not in str(refused.value)
            assert "/" not in str(refused.value)
            assert ask(client, 45).tolist() == ask(client, 48).tolist() == [109, 119, 129, 139]


def test_a_dynamic_model_that_fails_on_a_shape_says_that_it_cannot_take_it(start: Start) -> None:
    """`a` and `b` vary together, and nothing tells before the request that they must be alike."""
    served = start(small_models.add_sub([2, 3]))
    with Client(served.address) as client:
        with pytest.raises(InvalidRequest, match=r"requested shape - \(2,3\), \(2,4\): .*") as refused:
            client.infer("m", {"a": np.zeros((2, 3), np.float32), "b": np.zeros((2, 4), np.float32)})
        assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
        same = np.ones((2, 4), np.float32)
        assert (client.infer("m", {"a": same, "b": same})["sum"] == 2).all()


@pytest.mark.parametrize("harm", ["overwrite", "truncate", "remove"])
def test_later_compilations_are_of_the_bytes_that_were_loaded(start: Start, tmp_path: Path, harm: str) -> None:
    served = start(small_models.tens())
    folder = tmp_path / "m/1"
    weights = folder / "model.bin"
    if harm == "remove":
        shutil.rmtree(folder)
    else:
        weights.write_bytes(bytes(weights.stat().st_size if harm == "overwrite" else 0))
    with Client(served.address) as client:
        assert ask(client, 41).tolist() == [109, 119, 129, 139]


def test_a_flood_of_new_shapes_is_bounded_by_cache_and_queue(start: Start, gate: Gate) -> None:
    served = start(small_models.tens(), auto_shape_cache=3, nireq=1, max_queue=4)
    with Client(served.address) as client, ThreadPoolExecutor(5) as threads:
        gate.shut()
        futures = [threads.submit(ask, client, length) for length in (40, 41, 42, 43, 44)]
        refused = next(as_completed(futures, 60))  # four may wait, so one of five is one too many
        with pytest.raises(Overloaded, match="4 requests are waiting for new shapes to be compiled already"):
            refused.result()
        gate.open.set()
        assert all(future.result(60).size == 4 for future in futures if future is not refused)
        for length in (46, 47, 48, 49, 40, 41):
            assert ask(client, length).size == 4
    assert served.model.compiled_shapes == (((1, 1, 49),), ((1, 1, 40),), ((1, 1, 41),))
