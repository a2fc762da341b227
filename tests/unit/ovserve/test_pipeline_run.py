"""Pipelines of real models, run in process."""

import threading
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np
import openvino as ov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as ops

import small_models
from ovserve.config.model import ModelConfig
from ovserve.errors import (
    Cancelled,
    Code,
    DeadlineExceeded,
    InferenceFailed,
    NoContent,
    Overloaded,
    WrongShape,
    WrongTensors,
)
from ovserve.pipelines.pipeline import Pipeline
from ovserve.pipelines.plan import Member, plan
from ovserve.requests import Caller, InferRequest, InferResponse, Metadata, Patient
from ovserve.serving.decoding_turns import make_decoding_turns
from ovserve.serving.in_flight import InFlight
from ovserve.serving.labels import Labels
from ovserve.serving.statistics import Statistics
from ovserve.tensors import ANY, Array, Dim, DType, Tensor, TensorSpec
from pipelines import node, pipeline

Function = Callable[..., Mapping[str, Array]]


class Served:
    """A servable whose answers a function computes from arrays by name."""

    def __init__(
        self, function: Function, inputs: str = "x", outputs: str = "y", *, slots: int = 2, **specs: Any
    ) -> None:
        self.function = function
        self.config = ModelConfig(name="m", base_path="m")
        dims = {name: specs.get(name, (ANY, ANY)) for name in (*inputs.split(), *outputs.split())}
        of = {name: TensorSpec(name, DType.FP32, dims[name]) for name in dims}
        self.metadata = Metadata(
            "m", 1, "test", tuple(of[name] for name in inputs.split()), tuple(of[name] for name in outputs.split())
        )
        self.taken = self.metadata.inputs
        self.slots = slots
        self.admitted_at_once = 10
        self.note = None
        self.warnings = ()
        self.described: Mapping[str, str] = {}
        self.labels: Labels = {}
        self.in_flight = InFlight()
        self.statistics = Statistics()

    def infer(self, request: InferRequest, caller: Caller, *, admitted: bool = False) -> InferResponse:
        assert admitted
        found = self.function(**{name: tensor.data for name, tensor in request.inputs.items()})
        tensors = {
            name: Tensor(DType.FP32, array) for name, array in found.items() if name in (request.outputs or found)
        }
        return InferResponse("m", 1, tensors, request.id)


def piped(*nodes: dict[str, Any], members: Mapping[str, Served], **fields: Any) -> Pipeline:
    config = pipeline(*nodes, **fields)
    found = {
        name: Member("model 'm' version 1", member.taken, member.metadata.outputs) for name, member in members.items()
    }
    return Pipeline(
        ModelConfig(name="p", base_path="p", pipeline=config), plan(config, found), members, make_decoding_turns()
    )


def ask(one: Pipeline, caller: Caller | None = None, outputs: frozenset[str] | None = None, **arrays: Array) -> Any:
    inputs = {name: Tensor(DType.FP32, np.asarray(array, np.float32)) for name, array in arrays.items()}
    response = one.infer(InferRequest("p", inputs, outputs=outputs, id="7"), caller or Patient())
    assert (response.model, response.version, response.id) == ("p", 1, "7")
    return {name: tensor.data for name, tensor in response.outputs.items()}


PLUS_ONE = Served(lambda x: {"y": x + 1})
CHAIN = [node("a"), node("b", inputs={"x": "a.y"})]
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_one_node_after_the_other() -> None:
    one = piped(*CHAIN, members={"a": PLUS_ONE, "b": PLUS_ONE})
    np.testing.assert_array_equal(ask(one, x=X)["y"], X + 2)


def test_only_the_outputs_asked_for_are_given() -> None:
    one = piped(*CHAIN, outputs="first=a.y second=b.y same=request.x", members={"a": PLUS_ONE, "b": PLUS_ONE})
    assert ask(one, x=X).keys() == {"first", "second", "same"}
    assert ask(one, x=X, outputs=frozenset(["second"])).keys() == {"second"}
    with pytest.raises(WrongTensors, match="pipeline 'p' has no output 'z'; it has"):
        ask(one, x=X, outputs=frozenset(["z"]))


@pytest.mark.parametrize("count", [1, 2, 100, 1000])
def test_shards_come_back_in_their_order(count: int) -> None:
    one = piped(*CHAIN, members={"a": PLUS_ONE, "b": PLUS_ONE}, demultiply_count=-1)
    x = np.random.default_rng(0).random((count, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(ask(one, x=x)["y"], x + 1 + 1)


def test_no_shards_give_an_empty_tensor_where_the_shape_of_one_is_known() -> None:
    fixed = Served(lambda x: {"y": x}, x=(Dim(2, 2), Dim(3, 3)), y=(Dim(2, 2), Dim(3, 3)))
    assert ask(piped(node("a"), members={"a": fixed}, demultiply_count=-1), x=np.empty((0, 2, 3)))["y"].shape == (
        0,
        2,
        3,
    )


def test_no_shards_are_an_error_where_the_shape_of_one_is_not_known() -> None:
    one = piped(node("a"), members={"a": PLUS_ONE}, demultiply_count=-1)
    with pytest.raises(NoContent, match=r"^pipeline 'p': output 'y' of node 'a' has no shards to gather") as error:
        ask(one, x=np.empty((0, 2, 3)))
    assert error.value.code is Code.ABORTED


def split(count: int) -> Served:
    """Gives its input `count` times, each plus its number."""
    return Served(
        lambda x: {"y": np.stack([x + index for index in range(count)]) if count else np.empty((0, 2, 3))},
        y=(ANY, Dim(2, 2), Dim(3, 3)),
    )


GATHERED = [
    node("s", demultiply_count=-1),
    node("b", inputs={"x": "s.y"}),
    node("c", inputs={"x": "b.y"}, gather_from_node="s"),
]
FIXED = Served(lambda x: {"y": x + 1}, x=(Dim(2, 2), Dim(3, 3)), y=(Dim(2, 2), Dim(3, 3)))
SUM = Served(lambda x: {"y": x.sum(axis=0)}, x=(ANY, ANY, ANY))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_node_gathers_what_a_demultiplexer_split(count: int) -> None:
    one = piped(*GATHERED, members={"s": split(count), "b": FIXED, "c": SUM})
    expected = sum((X + index + 1 for index in range(count)), np.zeros_like(X))
    np.testing.assert_array_equal(ask(one, x=X)["y"], expected)


def test_demultiplexers_inside_of_each_other() -> None:
    members = {"s": split(3), "t": split(2), "b": FIXED}
    nodes = [
        node("s", demultiply_count=3),
        node("t", inputs={"x": "s.y"}, demultiply_count=2),
        node("b", inputs={"x": "t.y"}),
    ]
    expected = np.stack([np.stack([X + outer + inner + 1 for inner in range(2)]) for outer in range(3)])
    np.testing.assert_array_equal(ask(piped(*nodes, members=members), x=X)["y"], expected)


def test_a_demultiplexers_own_output_comes_whole() -> None:
    one = piped(node("s", demultiply_count=-1), members={"s": split(3)})
    assert ask(one, x=X)["y"].shape == (3, 2, 3)


@pytest.mark.parametrize(
    ("count", "shape", "sentence"),
    [
        (-1, (10001, 1, 1), r"Expected: \(\[0~10000\],-1,-1\); Actual: \(10001,1,1\)"),
        (4, (3, 2, 3), r"Expected: \(4,-1,-1\); Actual: \(3,2,3\)"),
        (-1, (2, 3), r"number of shape dimensions - Expected: \(\[0~10000\],-1,-1\); Actual: \(2,3\)"),
    ],
)
def test_what_cannot_be_split_is_refused(count: int, shape: tuple[int, ...], sentence: str) -> None:
    one = piped(node("a"), members={"a": PLUS_ONE}, demultiply_count=count)
    with pytest.raises(WrongShape, match=f"^pipeline 'p': .*{sentence}"):
        ask(one, x=np.zeros(shape))


def test_inputs_split_into_different_numbers_are_refused() -> None:
    both = Served(lambda x, w: {"y": x + w}, inputs="x w")
    one = piped(
        node("a", inputs={"x": "request.x", "w": "request.w"}), inputs="x w", members={"a": both}, demultiply_count=-1
    )
    with pytest.raises(
        WrongShape, match=r"input 'w' has shape \[2,1,1\], expected 3 as the first dimension, as 'x' has"
    ):
        ask(one, x=np.zeros((3, 1, 1)), w=np.zeros((2, 1, 1)))


@pytest.mark.parametrize(
    ("count", "given", "sentence"),
    [
        (-1, (10001, 1, 1), r"output 'y' has shape \[10001,1,1\], expected at most 10000 to split"),
        (3, (2, 1, 1), r"output 'y' has shape \[2,1,1\], expected demultiply_count 3"),
    ],
)
def test_a_node_that_gives_a_wrong_number_of_shards_fails(count: int, given: tuple[int, ...], sentence: str) -> None:
    wrong = Served(lambda x: {"y": np.zeros(given)}, y=(ANY, ANY, ANY))
    one = piped(node("s", demultiply_count=count), members={"s": wrong})
    with pytest.raises(InferenceFailed, match=f"^pipeline 'p': node 's': {sentence}"):
        ask(one, x=X)


def test_shards_that_differ_cannot_be_gathered() -> None:
    uneven = Served(lambda x: {"y": np.zeros((1, int(x.flat[0])))})
    one = piped(node("a"), members={"a": uneven}, demultiply_count=-1)
    sentence = r"output 'y' of node 'a' cannot be gathered: shard 0 is FP32 \[1,1\], shard 1 FP32 \[1,2\]"
    with pytest.raises(InferenceFailed, match=sentence):
        ask(one, x=np.array([[[1]], [[2]]]))


def test_the_first_error_ends_the_run_with_the_node_and_its_code() -> None:
    begun: list[float] = []

    def failing(x: Array) -> Mapping[str, Array]:
        begun.append(float(x.flat[0]))
        raise Overloaded("too much")

    one = piped(*CHAIN, members={"a": Served(failing, slots=2), "b": PLUS_ONE}, demultiply_count=-1)
    with pytest.raises(Overloaded, match=r"^pipeline 'p': node 'a': too much$"):
        ask(one, x=np.zeros((1000, 2, 3)))
    assert len(begun) <= 2


def test_a_fault_of_ours_reaches_the_caller() -> None:
    def faulty(x: Array) -> Mapping[str, Array]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(piped(node("a"), members={"a": Served(faulty)}), x=X)


class Impatient:
    """A caller whose time is over, or who has gone."""

    def __init__(self, seconds: float = inf, *, is_there: bool = True) -> None:
        self._seconds = seconds
        self._is_there = is_there

    def time_remaining(self) -> float:
        return self._seconds

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self._is_there


def test_nothing_begins_after_the_deadline() -> None:
    one = piped(node("a"), members={"a": PLUS_ONE})
    with pytest.raises(DeadlineExceeded, match=r"^pipeline 'p': node 'a': the deadline passed"):
        ask(one, Impatient(0), x=X)


def test_nothing_begins_for_a_caller_who_has_gone() -> None:
    one = piped(node("a"), members={"a": PLUS_ONE})
    with pytest.raises(Cancelled, match=r"^pipeline 'p': the caller went away"):
        ask(one, Impatient(is_there=False), x=X)


def test_shards_run_side_by_side_as_many_as_the_member_runs() -> None:
    together = threading.Barrier(3, timeout=60)

    def meeting(x: Array) -> Mapping[str, Array]:
        together.wait()
        return {"y": x}

    one = piped(node("a"), members={"a": Served(meeting, slots=3)}, demultiply_count=-1)
    assert ask(one, x=np.zeros((6, 1, 1)))["y"].shape == (6, 1, 1)


def test_no_more_run_side_by_side_than_the_member_runs() -> None:
    lock, inside, most = threading.Lock(), [0], [0]

    def counting(x: Array) -> Mapping[str, Array]:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        with lock:
            inside[0] -= 1
        return {"y": x}

    ask(piped(node("a"), members={"a": Served(counting, slots=2)}, demultiply_count=-1), x=np.zeros((500, 1, 1)))
    assert most[0] <= 2


def test_what_is_farther_down_goes_first_so_that_little_is_alive() -> None:
    order: list[str] = []

    def noted(name: str) -> Served:
        def note(x: Array) -> Mapping[str, Array]:
            order.append(name)
            return {"y": x}

        return Served(note, slots=1)

    ask(piped(*CHAIN, members={"a": noted("a"), "b": noted("b")}, demultiply_count=-1), x=np.zeros((3, 1, 1)))
    assert order == ["a", "b"] * 3


def test_more_runs_than_are_admitted_are_refused() -> None:
    begun, go_on = threading.Barrier(11, timeout=60), threading.Event()

    def waiting(x: Array) -> Mapping[str, Array]:
        begun.wait()
        go_on.wait(60)
        return {"y": x}

    one = piped(node("a"), members={"a": Served(waiting)})
    threads = [threading.Thread(target=ask, args=(one,), kwargs={"x": X}) for _ in range(10)]
    for thread in threads:
        thread.start()
    begun.wait()
    with pytest.raises(Overloaded, match=r"^pipeline 'p': 10 requests are being answered already"):
        ask(one, x=X)
    go_on.set()
    for thread in threads:
        thread.join()


def test_members_are_leased_for_the_whole_run() -> None:
    empty = threading.Event()
    last = Served(lambda x: {"y": x})

    def asking(x: Array) -> Mapping[str, Array]:
        last.in_flight.when_empty(empty.set)
        assert not empty.is_set()
        return {"y": x}

    ask(piped(*CHAIN, members={"a": Served(asking), "b": last}), x=X)
    assert empty.is_set()


def test_a_node_without_inputs_runs_once() -> None:
    constant = Served(lambda: {"y": np.ones((1, 1))}, inputs="")
    one = piped(node("a", inputs={}), outputs="y=a.y x=request.x", members={"a": constant})
    assert ask(one, x=X)["y"].tolist() == [[1]]


# Elementwise operations on any shape, as models and as numpy.
_OPERATIONS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Array, Array], Array]]] = {
    "add": (ops.add, np.add),
    "subtract": (ops.subtract, np.subtract),
    "maximum": (ops.maximum, np.maximum),
}


@pytest.fixture(scope="module")
def elementwise() -> dict[str, Served]:
    """A real model of each operation: `a`, `b` -> `y`."""
    core = ov.Core()
    found = {}
    for name, (operation, _) in _OPERATIONS.items():
        a, b = (small_models.parameter(letter, [-1, -1]) for letter in "ab")
        compiled = core.compile_model(ov.Model([small_models.named(operation(a, b), "y")], [a, b], name), "CPU")
        lock = threading.Lock()

        def run(a: Array, b: Array, compiled: Any = compiled, lock: Any = lock) -> Mapping[str, Array]:
            with lock:
                return {"y": np.array(compiled({"a": a, "b": b})["y"])}

        found[name] = Served(run, inputs="a b")
    return found


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[str, str, str]], list[str], int | None]:
    """Nodes as (operation, source, source), each connected to the last; and whether the entry splits."""
    nodes: list[tuple[str, str, str]] = []
    for index in range(draw(st.integers(1, 6))):
        known = ["request.x", "request.w", *(f"n{before}.y" for before in range(index))]
        nodes.append(
            (draw(st.sampled_from(list(_OPERATIONS))), draw(st.sampled_from(known)), draw(st.sampled_from(known)))
        )
    used = {"request.x", "request.w"} | {name for _, *sources in nodes for name in sources}
    results = [f"n{index}.y" for index in range(len(nodes)) if f"n{index}.y" not in used]
    return nodes, results, draw(st.sampled_from([None, -1, 0, 3]))


@settings(deadline=None, max_examples=60)
@given(graph=graphs(), seed=st.integers(0, 1000), shards=st.integers(1, 5))
def test_random_graphs_compute_what_numpy_does(
    elementwise: dict[str, Served], graph: Any, seed: int, shards: int
) -> None:
    nodes, results, count = graph
    one = piped(
        *(node(f"n{index}", inputs={"a": a, "b": b}) for index, (_, a, b) in enumerate(nodes)),
        inputs="x w",
        outputs=" ".join(f"r{index}={name}" for index, name in enumerate(results)),
        members={f"n{index}": elementwise[operation] for index, (operation, _, _) in enumerate(nodes)},
        **({} if count is None else {"demultiply_count": count}),
    )
    generator = np.random.default_rng(seed)
    shape = (2, 3) if count is None else (3 if count == 3 else shards, 2, 3)
    given_arrays = {name: generator.random(shape).astype(np.float32) for name in "xw"}
    values = {f"request.{name}": array for name, array in given_arrays.items()}
    for index, (operation, a, b) in enumerate(nodes):
        values[f"n{index}.y"] = _OPERATIONS[operation][1](values[a], values[b])
    unused = {"x", "w"} - {name.partition(".")[2] for _, *sources in nodes for name in sources if name[0] == "r"}
    assert {spec.name for spec in one.metadata.inputs if spec.dtype is None} == unused
    found = ask(one, **given_arrays)
    for index, name in enumerate(results):
        np.testing.assert_array_equal(found[f"r{index}"], values[name])
