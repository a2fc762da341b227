"""Pipelines of config.json over real models that come, change and go."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ovserve
import small_models
from client_process import ovclient
from ovclient import Client, NotFound, OVClientError
from ovserve.config.settings import Settings
from ovserve.core import Core, compose
from ovserve.errors import NotFound as ServableNotFound
from ovserve.requests import InferRequest, Patient
from ovserve.tensors import Array, DType, Tensor
from pipelines import document, node
from seed_run import assert_as_shown
from server_process import ServerProcess
from settled import settle
from watched import Watched, adding

Serve = Callable[..., ServerProcess]

CHAIN = document(node("first", "a"), node("second", "b", inputs={"x": "first.y"}))


def write(folder: Path, *pipelines: dict[str, Any], models: str = "a b", **settings: Any) -> Path:
    configs = [{"config": {"name": name, "base_path": name, **settings.get(name, {})}} for name in models.split()]
    file = folder / "config.json"
    file.write_text(json.dumps({"model_config_list": configs, "pipeline_config_list": pipelines}))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`a` adds 1, `b` adds 10, both to [1,2]; `p` does one after the other."""
    small_models.save(adding(1), tmp_path / "a/1")
    small_models.save(adding(10), tmp_path / "b/1")
    write(tmp_path, CHAIN)
    return tmp_path


@pytest.fixture
def core(folder: Path) -> Core:
    made = compose(Settings(config_path=folder))
    made.load()
    return made


def answer(core: Core, x: Any = ((0, 0),), name: str = "p") -> Array:
    inputs = {"x": Tensor(DType.FP32, np.array(x, np.float32))}
    return core.dataplane.infer(InferRequest(name, inputs), Patient()).outputs["y"].data


def reason(core: Core, name: str = "p") -> tuple[str, str]:
    (row,) = (row for row in core.control.index() if row.name == name)
    return row.state, row.reason


def test_it_has_an_index_entry_a_version_and_metadata_of_its_own(folder: Path) -> None:
    with ovserve.load(config_path=folder) as loaded:
        assert loaded.infer("p", np.zeros((1, 2), np.float32))["y"].tolist() == [[11, 11]]
        metadata = loaded.metadata("p", 1)
        assert (metadata.name, metadata.version, metadata.platform) == ("p", 1, "OpenVINO")
        assert [spec.wire_shape for spec in (*metadata.inputs, *metadata.outputs)] == [[1, 2], [1, 2]]
    core = compose(Settings(config_path=folder))
    core.load()
    assert [(row.name, row.version, row.state) for row in core.control.index()] == [
        ("a", 1, "READY"),
        ("b", 1, "READY"),
        ("p", 1, "READY"),
    ]


def test_a_wrong_one_says_why_and_the_others_go_on(folder: Path) -> None:
    wrong = {**document(node("n", "nope")), "name": "wrong"}
    write(folder, CHAIN, wrong, {**document(node("n", "a", outputs="z")), "name": "other"})
    core = compose(Settings(config_path=folder))
    core.load()
    assert answer(core).tolist() == [[11, 11]]
    assert reason(core, "wrong") == ("UNAVAILABLE", "node 'n': model 'nope' is not found")
    assert reason(core, "other") == ("UNAVAILABLE", "node 'n': model 'a' version 1 has no output 'z', it has 'y'")
    with pytest.raises(ServableNotFound, match="model 'wrong' is not available: version 1: node 'n': model 'nope'"):
        answer(core, name="wrong")


def test_a_name_that_a_model_has_is_refused(folder: Path) -> None:
    write(folder, {**CHAIN, "name": "a"}, CHAIN)
    core = compose(Settings(config_path=folder))
    core.load()
    assert answer(core, name="a").tolist() == [[1, 1]]
    assert answer(core).tolist() == [[11, 11]]


def test_a_new_version_of_a_member_is_taken_up(core: Core, folder: Path) -> None:
    small_models.save(adding(2), folder / "a/2")
    assert settle(core) == {"a": [2], "b": [1], "p": [1]}
    assert answer(core).tolist() == [[12, 12]]


def test_it_is_made_anew_once_for_each_change(core: Core, folder: Path) -> None:
    served = [core.registry.find("p")]

    def note() -> None:
        now = core.registry.find("p")
        if now is not served[-1]:
            served.append(now)

    core.registry.on_change(note)
    settle(core)
    assert len(served) == 1
    write(folder, document(node("only", "b")))
    settle(core)
    assert len(served) == 2


def test_a_version_that_is_asked_for_stays(folder: Path) -> None:
    pinned = document(node("first", "a", version=1), node("second", "b", inputs={"x": "first.y"}))
    small_models.save(adding(2), folder / "a/2")
    write(folder, pinned, a={"model_version_policy": {"all": {}}})
    core = compose(Settings(config_path=folder))
    core.load()
    assert answer(core).tolist() == [[11, 11]]


def test_without_a_member_it_is_not_ready_and_says_why(core: Core, folder: Path) -> None:
    (folder / "b/1/model.xml").unlink()
    (folder / "b/1/model.bin").unlink()
    (folder / "b/1").rmdir()
    assert settle(core) == {"a": [1]}
    state, cause = reason(core)
    assert state == "UNAVAILABLE"
    assert cause.startswith("node 'second': model 'b' is not available: ")
    assert answer(core, name="a").tolist() == [[1, 1]]
    small_models.save(adding(20), folder / "b/1")
    assert settle(core) == {"a": [1], "b": [1], "p": [1]}
    assert answer(core).tolist() == [[21, 21]]


def test_a_member_that_does_not_fit_any_more_makes_it_not_ready(core: Core, folder: Path) -> None:
    small_models.save(adding(10, length=3), folder / "b/2")
    assert settle(core) == {"a": [1], "b": [2]}
    sentence = (
        "node 'second': input 'x' of model 'b' version 2 expects shape (1,3), output 'y' of node 'first' has (1,2)"
    )
    assert reason(core) == ("UNAVAILABLE", sentence)
    small_models.save(adding(1, length=3), folder / "a/2")
    assert settle(core)["p"] == [1]
    assert answer(core, [[0, 0, 0]]).tolist() == [[11, 11, 11]]


def test_a_definition_that_becomes_wrong_leaves_the_one_before_it(core: Core, folder: Path) -> None:
    write(folder, document(node("first", "a"), node("second", "b", inputs={"x": "first.z"})))
    assert settle(core)["p"] == [1]
    assert answer(core).tolist() == [[11, 11]]
    state, note = reason(core)
    assert state == "READY"
    assert note.startswith("its configuration has changed and cannot be used, the one before it is: node 'second': ")
    small_models.save(adding(2), folder / "a/2")
    assert settle(core)["p"] == [1]
    assert answer(core).tolist() == [[12, 12]]
    write(folder, document(node("only", "b")))
    assert settle(core)["p"] == [1]
    assert (answer(core).tolist(), reason(core)) == ([[10, 10]], ("READY", ""))


def test_one_that_is_taken_out_of_the_file_is_gone(core: Core, folder: Path) -> None:
    write(folder)
    assert settle(core) == {"a": [1], "b": [1]}
    with pytest.raises(ServableNotFound, match="model 'p' is not found"):
        answer(core)
    write(folder, CHAIN)
    assert settle(core)["p"] == [1]
    assert answer(core).tolist() == [[11, 11]]


def test_a_pipeline_can_be_a_node_of_another(folder: Path) -> None:
    twice = {**document(node("n", "p"), node("m", "p", inputs={"x": "n.y"})), "name": "twice"}
    write(folder, twice, CHAIN)
    core = compose(Settings(config_path=folder))
    core.load()
    assert answer(core, name="twice").tolist() == [[22, 22]]
    small_models.save(adding(2), folder / "a/2")
    settle(core)
    assert answer(core, name="twice").tolist() == [[24, 24]]


def test_pipelines_of_each_other_are_never_ready(folder: Path) -> None:
    circle = [{**document(node("n", other)), "name": one} for one, other in (("p", "q"), ("q", "p"))]
    write(folder, *circle)
    core = compose(Settings(config_path=folder))
    core.load()
    assert reason(core) == ("UNAVAILABLE", "it is a node of itself, through other pipelines or directly")


@pytest.mark.parametrize(
    ("shape", "count", "sizes"),
    [("auto", None, (2, 5)), ("(1,2:6)", None, (2, 6)), ("(1,-1)", None, (3, 9)), ("auto", -1, (2, 5))],
)
def test_members_may_be_dynamic_ranged_or_auto(
    folder: Path, shape: str, count: int | None, sizes: tuple[int, ...]
) -> None:
    for name in ("a", "b"):
        small_models.save(small_models.add_one([1, 2]), folder / name / "1")
    split = {} if count is None else {"demultiply_count": count}
    write(folder, {**CHAIN, **split}, a={"shape": shape}, b={"shape": shape})
    core = compose(Settings(config_path=folder))
    core.load()
    for size in sizes:
        shards = () if count is None else (3,)
        assert answer(core, np.zeros((*shards, 1, size))).tolist() == np.full((*shards, 1, size), 2).tolist()


def test_requests_go_on_while_members_are_swapped(serve: Serve, folder: Path) -> None:
    """Each version adds a number of its own, so every answer tells which versions it is from."""
    watched = Watched(serve("--config_path", str(folder)))
    allowed, wrong, answers = {11.0}, [], []
    stopped = threading.Event()

    def ask() -> None:
        with Client(watched.server.address) as client:
            while not stopped.is_set():
                try:
                    found = client.infer("p", np.zeros((1, 2), np.float32))["y"]
                except OVClientError as error:
                    wrong.append(str(error))
                    return
                answers.append(float(found[0, 0]))
                if found[0, 0] != found[0, 1] or found[0, 0] not in allowed:
                    wrong.append(f"{found}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 8):
        allowed.add(10.0 + version)
        small_models.save(adding(version), folder / f"a/{version}")
        watched.wait_answer(10.0 + version, "p")
    stopped.set()
    for thread in threads:
        thread.join()
    watched.client.close()
    assert wrong == []
    assert set(answers) == allowed


def test_thousands_of_parts_leave_others_their_turn(folder: Path) -> None:
    write(folder, {**CHAIN, "demultiply_count": -1})
    core = compose(Settings(config_path=folder))
    core.load()
    parts = np.random.default_rng(0).random((10_000, 1, 2)).astype(np.float32)
    found: list[Array] = []
    run = threading.Thread(target=lambda: found.append(answer(core, parts)))
    run.start()
    others = 0
    while run.is_alive():
        assert answer(core, name="a").tolist() == [[1, 1]]
        others += 1
    run.join()
    np.testing.assert_array_equal(found[0], parts + 1 + 10)
    assert others > 10


# Seed 003


@pytest.fixture
def dag(serve: Serve, shared: Path, tmp_path: Path) -> ServerProcess:
    """Seed 003's config.json, over a model that takes its pictures one by one."""
    text = next((shared / "seeds").glob("003_*.txt")).read_text(encoding="utf-8")
    configured = json.loads(text.partition("echo '")[2].partition("' >>")[0])
    configured["model_config_list"][0]["config"] |= {
        "base_path": str(shared / "models/efficientnet-lite0"),
        "batch_size": 1,
    }
    (tmp_path / "config.json").write_text(json.dumps(configured))
    return serve("--config_path", str(tmp_path / "config.json"))


@pytest.mark.shared
def test_the_metadata_that_seed_003_shows(dag: ServerProcess) -> None:
    done = ovclient(dag, "metadata", "--model_name", "resnet50DAG")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Getting model metadata for model: resnet50DAG",
        "Inputs metadata:",
        "\tInput name: 0; shape: [-1, 1, 3, 224, 224]; dtype: DT_FLOAT",
        "Outputs metadata:",
        "\tOutput name: 1463; shape: [-1, 1, 1000]; dtype: DT_FLOAT",
    ]


@pytest.mark.shared
def test_every_line_of_seed_003s_two_runs(dag: ServerProcess, shared: Path, tmp_path: Path) -> None:
    assert_as_shown(dag, shared, tmp_path, "003", "--model_name", "resnet50DAG", "--dag-batch-size-auto")


@pytest.mark.shared
def test_both_batch_sizes_at_once_without_an_error(dag: ServerProcess, shared: Path) -> None:
    seconds = float(os.environ.get("OVSERVE_TEST_LOAD_SECONDS", "2"))
    pictures = np.load(shared / "data/imgs.npy").astype(np.float32)
    labels = np.load(shared / "data/lbs.npy")
    answers: dict[int, int] = {}
    errors: list[str] = []

    def ask(batch: int) -> None:
        deadline_s = time.monotonic() + seconds
        with Client(dag.address) as client:
            while time.monotonic() < deadline_s:
                try:
                    found = client.infer("resnet50DAG", pictures[:batch, np.newaxis])["1463"]
                except OVClientError as error:
                    errors.append(str(error))
                    return
                if found.shape != (batch, 1, 1000) or (found[:, 0].argmax(axis=1) != labels[:batch]).any():
                    errors.append(f"{found.shape}")
                answers[batch] = answers.get(batch, 0) + 1

    threads = [threading.Thread(target=ask, args=(batch,)) for batch in (1, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert answers.keys() == {1, 8}


@pytest.mark.shared
def test_a_client_sees_the_graph(dag: ServerProcess) -> None:
    with Client(dag.address) as client:
        graph = client.pipeline("resnet50DAG")
        assert [(one.name, one.servable, one.version) for one in graph.nodes] == [("resnetNode", "resnet", 1)]
        assert [edge.shape for edge in graph.edges] == [(1, 3, 224, 224), (-1, 1, 1000)]
        with pytest.raises(OVClientError, match="'resnet' is not a pipeline"):
            client.pipeline("resnet")
        with pytest.raises(NotFound):
            client.pipeline("nope")
