"""TensorFlow Serving's API in front of models that come and go, of pipelines, and of real pictures."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

import small_models
from ovclient import Client
from ovserve.config.settings import Settings
from ovserve.control import Standing
from ovserve.core import Core, compose
from ovserve.errors import NotAllowed, NotFound
from ovserve.serving.registry import State
from pipelines import document, node
from server_process import ServerProcess
from tfs_wire import TfsWire
from watched import Watched, adding

Serve = Callable[..., ServerProcess]


@pytest.fixture
def tfs(request: pytest.FixtureRequest) -> Iterator[Callable[[ServerProcess], TfsWire]]:
    opened: list[grpc.Channel] = []

    def open_(server: ServerProcess) -> TfsWire:
        opened.append(grpc.insecure_channel(server.address, options=[("grpc.max_receive_message_length", -1)]))
        return TfsWire(opened[-1])

    yield open_
    for channel in opened:
        channel.close()


def write_config(folder: Path, *pipelines: dict, models: str = "a b") -> None:
    configs = [{"config": {"name": name, "base_path": name}} for name in models.split()]
    (folder / "config.json").write_text(json.dumps({"model_config_list": configs, "pipeline_config_list": pipelines}))


CHAIN = document(node("first", "a"), node("second", "b", inputs={"x": "first.y"}))


# The life of versions


def test_a_version_that_is_replaced_has_ended(
    watched: Callable[..., Watched], tfs: Callable[[ServerProcess], TfsWire], repository: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    wire = tfs(one.server)
    assert wire.states("m") == [(1, 30, 0, "OK")]
    small_models.save(adding(2), repository / "m/2")
    one.wait_answer(2)
    one.wait(lambda: wire.states("m") == [(1, 50, 0, "OK"), (2, 30, 0, "OK")])


def test_a_model_that_is_gone_has_ended(
    watched: Callable[..., Watched], tfs: Callable[[ServerProcess], TfsWire], repository: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    one = watched()
    (repository / "m").rename(repository.parent / "elsewhere")
    one.wait(lambda: tfs(one.server).states("m") == [(1, 50, 0, "OK")])


def test_a_pipeline_has_metadata_states_and_answers(
    serve: Serve, tfs: Callable[[ServerProcess], TfsWire], tmp_path: Path
) -> None:
    small_models.save(adding(1), tmp_path / "a/1")
    small_models.save(adding(10), tmp_path / "b/1")
    write_config(tmp_path, CHAIN)
    wire = tfs(serve("--config_path", str(tmp_path)))
    assert wire.predict("p", {"x": np.zeros((1, 2), np.float32)})["y"].tolist() == [[11, 11]]
    assert wire.signature("p") == {"inputs": {"x": ("DT_FLOAT", [1, 2])}, "outputs": {"y": ("DT_FLOAT", [1, 2])}}
    assert wire.states("p") == [(1, 30, 0, "OK")]


def test_a_pipeline_without_a_model_of_its_own_fails_a_precondition(
    serve: Serve, tfs: Callable[[ServerProcess], TfsWire], tmp_path: Path
) -> None:
    small_models.save(adding(1), tmp_path / "a/1")
    write_config(tmp_path, CHAIN, models="a")
    (row,) = tfs(serve("--config_path", str(tmp_path))).states("p")
    assert row[:3] == (1, 20, 9)
    assert "node 'second': model 'b' is not found" in row[3]


# What stands behind /v1/config


@pytest.fixture
def core(tmp_path: Path) -> Core:
    small_models.save(adding(1), tmp_path / "models/m/1")
    made = compose(Settings(model_repository=[tmp_path / "models"], model_control_mode="none"))
    made.load()
    return made


def test_the_states_of_all_models(core: Core) -> None:
    assert core.control.all_standings() == {"m": [Standing(1, State.AVAILABLE, None, "")]}
    with pytest.raises(NotFound, match="model 'm' version 7 is not found; known: 1"):
        core.control.standings("m", 7)


def test_a_reload_by_request_in_mode_none(core: Core, tmp_path: Path) -> None:
    with core.following():
        assert core.control.reload() is False
        small_models.save(adding(2), tmp_path / "models/m/2")
        assert core.control.reload() is True
    assert core.control.standings("m", 2) == [Standing(2, State.AVAILABLE, None, "")]


def test_a_reload_is_not_for_other_machines(tmp_path: Path) -> None:
    small_models.save(adding(1), tmp_path / "models/m/1")
    core = compose(Settings(model_repository=[tmp_path / "models"], grpc_bind_address="192.0.2.1"))
    with pytest.raises(NotAllowed, match="--allow_remote_management"):
        core.control.reload()


def test_mode_none_does_not_look_at_a_hangup(
    serve: Serve, tfs: Callable[[ServerProcess], TfsWire], repository: Path
) -> None:
    small_models.save(adding(1), repository / "m/1")
    server = serve("--model_repository", str(repository), "--model_control_mode", "none")
    small_models.save(adding(2), repository / "m/2")
    server.process.send_signal(signal.SIGHUP)
    wire = tfs(server)
    for _ in range(20):
        assert wire.states("m") == [(1, 30, 0, "OK")]


# The seeds' own commands


@pytest.mark.shared
@pytest.mark.parametrize("batch", [1, 8])
def test_the_pictures_of_seed_002(
    serve_once: Serve, tfs: Callable[[ServerProcess], TfsWire], shared: Path, batch: int
) -> None:
    server = serve_once(
        "--model_name", "resnet", "--model_path", str(shared / "models/efficientnet-lite0"), "--batch_size", "auto"
    )
    wire = tfs(server)
    images, labels = _pictures(shared, batch)
    with Client(server.address) as client:
        for chosen, expected in zip(images, labels, strict=True):
            scores = wire.predict("resnet", {"0": chosen})["1463"]
            assert scores.argmax(axis=1).tolist() == expected.tolist()
            assert np.allclose(scores, client.infer("resnet", {"0": chosen})["1463"], atol=1e-5)


@pytest.fixture(scope="module")
def seed_003(serve_once: Serve, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    pipeline = document(
        node("resnetNode", "resnet", outputs="1463", inputs={"0": "request.0"}),
        inputs="0",
        outputs="1463=resnetNode.1463",
        demultiply_count=-1,
    )
    model = {
        "name": "resnet",
        "base_path": str(shared / "models/efficientnet-lite0"),
        "batch_size": "1",
        "plugin_config": {"NUM_STREAMS": "1"},
    }
    document_ = {
        "model_config_list": [{"config": model}],
        "pipeline_config_list": [{**pipeline, "name": "resnet50DAG"}],
    }
    folder = tmp_path_factory.mktemp("seed")
    (folder / "config.json").write_text(json.dumps(document_))
    return serve_once("--config_path", str(folder))


@pytest.mark.shared
@pytest.mark.parametrize("batch", [1, 8])
def test_the_pictures_of_seed_003(
    seed_003: ServerProcess, tfs: Callable[[ServerProcess], TfsWire], shared: Path, batch: int
) -> None:
    wire = tfs(seed_003)
    assert wire.signature("resnet50DAG") == {
        "inputs": {"0": ("DT_FLOAT", [-1, 1, 3, 224, 224])},
        "outputs": {"1463": ("DT_FLOAT", [-1, 1, 1000])},
    }
    images, labels = _pictures(shared, batch)
    for chosen, expected in zip(images, labels, strict=True):
        scores = wire.predict("resnet50DAG", {"0": chosen[:, None]})["1463"]
        assert scores.shape == (batch, 1, 1000)
        assert scores.argmax(axis=2).ravel().tolist() == expected.tolist()


def _pictures(shared: Path, batch: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The whole batches, prepared as OVMS's sample does: from 0 to 255."""
    images, labels = np.load(shared / "data/imgs.npy"), np.load(shared / "data/lbs.npy")
    images = ((images - images.min()) / np.ptp(images) * 255).astype(np.float32)
    starts = range(0, len(images) // batch * batch, batch)
    return [images[at : at + batch] for at in starts], [labels[at : at + batch] for at in starts]
