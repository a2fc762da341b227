import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import small_models
import wire_server
from grpc_door import GrpcDoor
from http2_calls import assert_serves
from http_door import HttpDoor
from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from server_process import ServerProcess, sound_server
from wire_server import Wire


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all of this folder: what one test does to it, the next one would notice."""
    root = wire_server.lay_out(tmp_path_factory.mktemp("zoo"))
    with sound_server("--model_repository", str(root), "--nireq", "3", "--metrics_enable", rest=True) as server:
        yield server


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A connection; when the test ends, the server must live and answer right, with nothing learned of its insides."""
    wire = Wire(server.address)
    yield wire
    assert server.process.poll() is None, server.log
    wire_server.assert_answers_right(wire)
    wire_server.assert_probes(wire, "dyn")
    wire.close()


@pytest.fixture
def door(server: ServerProcess) -> Iterator[HttpDoor]:
    """A connection over HTTP; when the test ends, the server must live and answer right."""
    door = HttpDoor(server.rest_address)
    yield door
    assert server.process.poll() is None, server.log
    x = {"name": "a", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    answer = door.infer("dyn", {"inputs": [x, {**x, "name": "b"}]})
    assert [output["data"] for output in answer.json["outputs"]] == [[2, 4, 6, 8], [0, 0, 0, 0]]
    door.assert_probes("dyn")
    door.close()


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """What a door of the test's own opens on."""
    root = tmp_path_factory.mktemp("repository")
    small_models.save(small_models.add_one([-1]), root / "grow/1")
    small_models.save(small_models.slow(), root / "slow/1")
    core = compose(Settings(model_repository=(root,), model_control_mode="none"))
    core.load()
    core.dataplane.open()
    yield core
    core.dataplane.close()
    # Python ends threads of its own that come back from an inference while it ends: OpenVINO's bindings abort then.
    assert core.dataplane.drain(60)


class Complaints(logging.Handler):
    """What the server logs that is worse than a warning, in words of its own or of a library's."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def open_door(core: Core) -> Iterator[Callable[..., GrpcDoor]]:
    """Open gRPC servers in this process, with limits; nothing that happens to them is an internal error."""
    doors: list[GrpcDoor] = []
    complaints = Complaints()
    names = ("ovserve", "grpc", "concurrent.futures", "asyncio")
    for name in names:
        logging.getLogger(name).addHandler(complaints)

    def open_one(**limits: Any) -> GrpcDoor:
        doors.append(GrpcDoor(core, **limits))
        return doors[-1]

    yield open_one
    for door in doors:
        door.stop()
    for name in names:
        logging.getLogger(name).removeHandler(complaints)
    assert complaints.lines == []


@pytest.fixture
def address(open_door: Callable[..., GrpcDoor]) -> Iterator[str]:
    """Where a server in this process listens; when the test ends, it must answer a new connection."""
    door = open_door()
    yield door.address
    assert_serves(door.address)
