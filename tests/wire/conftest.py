from collections.abc import Iterator

import pytest

import small_models
import wire_server
from http_door import HttpDoor
from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from server_process import ServerProcess
from wire_server import Wire


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all of this folder: what one test does to it, the next one would notice."""
    root = wire_server.lay_out(tmp_path_factory.mktemp("zoo"))
    server = ServerProcess("--model_repository", str(root), "--nireq", "3", "--metrics_enable", rest=True)
    yield server
    assert server.stop() == 0
    assert "internal error" not in server.log
    assert "Traceback" not in server.log


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
def core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    """What a door of the test's own opens on."""
    root = tmp_path_factory.mktemp("repository")
    small_models.save(small_models.add_one([-1]), root / "grow/1")
    core = compose(Settings(model_repository=(root,), model_control_mode="none"))
    core.load()
    core.dataplane.open()
    return core
