"""Triton's ensembles in a repository, served as they are."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import small_models
from ovclient import Client, NotFound
from server_process import ServerProcess
from watched import Watched, adding

Start = Callable[..., Watched]

CONFIG = """
platform: "ensemble"
input [ { name: "in" data_type: TYPE_FP32 dims: [ 1, 2 ] } ]
output [ { name: "out" data_type: TYPE_FP32 dims: [ 1, 2 ] } ]
ensemble_scheduling { step [
  { model_name: "a" model_version: -1 input_map { key: "x" value: "in" } output_map { key: "y" value: "between" } },
  { model_name: "b" model_version: -1 input_map { key: "x" value: "between" } output_map { key: "y" value: "out" } }
] }
"""


def write(repository: Path, config: str = CONFIG, *, name: str = "e") -> Path:
    """`a` adds 1, `b` adds 10, `e` does one after the other; its version's folder is empty, as Triton wants it."""
    small_models.save(adding(1), repository / "a/1")
    small_models.save(adding(10), repository / "b/1")
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)
    return repository / name


def answer(client: Client, name: str = "e", shape: tuple[int, ...] = (1, 2)) -> list[list[float]]:
    found: list[list[float]] = client.infer(name, np.zeros(shape, np.float32))["out"].tolist()
    return found


def test_its_steps_run_one_after_the_other(watched: Start, repository: Path) -> None:
    write(repository)
    one = watched()
    assert answer(one.client) == [[11, 11]]
    metadata = one.client.metadata("e")
    assert (metadata.platform, metadata.versions) == ("ensemble", ("1",))
    assert [(tensor.name, tensor.shape) for tensor in metadata.inputs] == [("in", (1, 2))]


def test_modelconfig_answers_it_and_the_graph(watched: Start, repository: Path) -> None:
    write(repository)
    one = watched()
    with triton.InferenceServerClient(one.server.address) as client:
        config = client.get_model_config("e", as_json=True)["config"]
    assert config["platform"] == "ensemble"
    assert "backend" not in config
    assert [step["model_name"] for step in config["ensemble_scheduling"]["step"]] == ["a", "b"]
    graph = one.client.pipeline("e")
    assert [(edge.source, edge.output, edge.target, edge.input) for edge in graph.edges] == [
        ("request", "in", "a", "x"),
        ("a", "between", "b", "x"),
        ("b", "out", "response", "out"),
    ]


def test_a_model_may_be_used_twice(watched: Start, repository: Path) -> None:
    write(repository, CONFIG.replace('"b"', '"a"'))
    assert answer(watched().client) == [[2, 2]]


def test_with_batches_the_first_dimension_is_the_batch(watched: Start, repository: Path) -> None:
    batched = CONFIG.replace("dims: [ 1, 2 ]", "dims: [ 2 ]") + "max_batch_size: 4\n"
    write(repository, batched)
    for name in ("a", "b"):
        small_models.save(small_models.add_one([-1, 2]), repository / name / "1")
        (repository / name / "config.pbtxt").write_text("max_batch_size: 4")
    one = watched()
    assert answer(one.client, shape=(3, 2)) == [[2, 2]] * 3
    with pytest.raises(Exception, match=r"batch size - Expected: \[1~4\]; Actual: 5; input name: in"):
        answer(one.client, shape=(5, 2))


WRONG = [
    ('model_name: "b"', 'model_name: "z"', "node 'z': model 'z' is not found"),
    ('value: "in"', 'value: "nope"', "ensemble_scheduling: step 'a' needs tensor 'nope', which nothing gives"),
    ('value: "out"', 'value: "in"', "ensemble_scheduling: tensor 'in' comes from more than one place"),
    ('key: "x" value: "in"', 'key: "z" value: "in"', "node 'a': model 'a' version 1 has no input 'z', it has 'x'"),
    ("dims: [ 1, 2 ]", "dims: [ 1, 3 ]", "configuration expects dims [1,3] for input 'in', model provides (1,2)"),
    ("TYPE_FP32", "TYPE_INT8", "configuration expects datatype TYPE_INT8 for input 'in', model provides TYPE_FP32"),
    ('model_name: "a"', 'model_name: "a" model_namespace: "n"', "model_namespace is not supported"),
    ('model_name: "a"', "", "step 1 has no model_name"),
    ('name: "out"', 'name: "other"', "an output needs tensor 'other', which nothing gives"),
]


@pytest.fixture(scope="module")
def wrong_ones(serve_once: Callable[..., ServerProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server with an ensemble for each row, named by its number."""
    repository = tmp_path_factory.mktemp("wrong")
    for number, (old, new, _) in enumerate(WRONG):
        write(repository, CONFIG.replace(old, new, 1), name=f"e{number}")
    one = Watched(serve_once("--model_repository", str(repository)))
    with one.client:
        yield one


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[sentence for _, _, sentence in WRONG])
def test_a_wrong_one_is_told_in_a_sentence(wrong_ones: Watched, number: int) -> None:
    ((state, reason),) = wrong_ones.rows(f"e{number}").values()
    assert (state, WRONG[number][2] in reason) == ("UNAVAILABLE", True), reason
    assert wrong_ones.answer("a") == 1


def test_a_member_comes_later_changes_and_goes(watched: Start, repository: Path) -> None:
    folder = write(repository)
    (repository / "b").rename(repository.parent / "b")
    one = watched()
    assert one.rows("e")["1"] == ("UNAVAILABLE", "node 'b': model 'b' is not found")
    (repository.parent / "b").rename(repository / "b")
    one.wait_state("1", "READY", name="e")
    small_models.save(adding(20), repository / "b/2")
    one.wait(lambda: answer(one.client) == [[21, 21]], "waiting for version 2 of b")
    (folder / "config.pbtxt").unlink()
    (folder / "1").rmdir()
    folder.rmdir()
    one.wait(lambda: one.rows("e").get("1", ("", ""))[0] in {"", "UNAVAILABLE"}, "waiting for e to go")
    with pytest.raises(NotFound):
        answer(one.client)


def test_loading_it_by_request_loads_its_members(watched: Start, repository: Path) -> None:
    write(repository)
    one = watched("--model_control_mode", "explicit")
    with triton.InferenceServerClient(one.server.address) as client:
        client.load_model("e")
        assert answer(one.client) == [[11, 11]]
        assert all(client.is_model_ready(name) for name in "abe")
        client.unload_model("b")
        assert not client.is_model_ready("e")
        with pytest.raises(InferenceServerException, match="node 'b': model 'b' is not found"):
            client.infer("e", [])
        client.load_model("e")
        assert answer(one.client) == [[11, 11]]
        client.unload_model("e")
        assert [name for name in "abe" if client.is_model_ready(name)] == ["a", "b"]
        client.load_model("e")
        client.unload_model("e", unload_dependents=True)
        assert [name for name in "abe" if client.is_model_ready(name)] == []


def test_loading_a_wrong_one_by_request_says_why(watched: Start, repository: Path) -> None:
    write(repository, CONFIG.replace('"b"', '"z"'))
    one = watched("--model_control_mode", "explicit")
    with triton.InferenceServerClient(one.server.address) as client:
        with pytest.raises(
            InferenceServerException, match=r"load failed for model 'e': .*node 'z': model 'z' is not found"
        ):
            client.load_model("e")
        assert not client.is_model_ready("e")
