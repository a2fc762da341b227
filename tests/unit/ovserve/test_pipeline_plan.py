"""The rules of spec G.2 as section O amends them, and the metadata of G.4 and N.10."""

from typing import Any

import pytest

from ovserve.pipelines.graph import WrongPipeline
from ovserve.pipelines.plan import Member, Plan, plan
from ovserve.tensors import ANY, Dim, DType, TensorSpec, shape_text
from pipelines import node, pipeline

Lengths = tuple[int | tuple[int, int], ...]


def dims(lengths: Lengths) -> tuple[Dim, ...]:
    return tuple(
        Dim(*length) if isinstance(length, tuple) else ANY if length == -1 else Dim(length, length)
        for length in lengths
    )


def spec(name: str, lengths: Lengths | None, dtype: DType = DType.FP32, layout: str | None = None) -> TensorSpec:
    return TensorSpec(name, dtype, None if lengths is None else dims(lengths), layout, 0)


def model(
    shape: Lengths | None = (1, 10), out: Lengths | None = (), inputs: str = "x", outputs: str = "y", **more: Any
) -> Member:
    """A model whose inputs all have `shape` and its outputs `out`, by default the same."""
    given = [spec(name, shape, **more) for name in inputs.split()]
    return Member("model 'm' version 1", given, [spec(name, out or shape, **more) for name in outputs.split()])


def planned(*nodes: Any, members: dict[str, Member] | None = None, **fields: Any) -> Plan:
    found = {one["name"]: model() for one in nodes} | (members or {})
    return plan(pipeline(*nodes, **fields), found)


def text(specs: tuple[TensorSpec, ...]) -> dict[str, str]:
    return {one.name: "any" if one.dims is None else shape_text(one.dims) for one in specs}


SPLIT = {"s": model((1, 10), (4, 1, 10))}


@pytest.mark.parametrize(
    ("nodes", "fields", "sentence"),
    [
        pytest.param(
            [node("a", demultiply_count=-1), node("b", demultiply_count=2, inputs={"x": "a.y"})],
            {},
            "node 'a' has demultiply_count -1, beside which there can be no other demultiplexer, but 'b' is one",
            id="a dynamic demultiplexer and another",
        ),
        pytest.param(
            [node("a", demultiply_count=2)],
            {"demultiply_count": 0},
            "node 'request' has demultiply_count -1, .* but 'a' is one",
            id="a dynamic demultiplexer at the entry and another",
        ),
        pytest.param([node("a"), node("a")], {}, "node 'a' occurs twice", id="duplicate node"),
        pytest.param([node("request")], {}, "no node can be named 'request'", id="second entry"),
        pytest.param([node("response")], {}, "no node can be named 'response'", id="second exit"),
        pytest.param(
            [node("s", demultiply_count=4)],
            {"members": {"s": model(out=(4,))}},
            r"node 's' splits output 'y' of shape \(4\), which needs at least 2 dimensions",
            id="not enough dimensions",
        ),
        pytest.param(
            [node("s", demultiply_count=3)],
            {"members": SPLIT},
            r"node 's' splits output 'y' of shape \(4,1,10\) into 3: demultiply_count must be the first dimension",
            id="count and dimension",
        ),
        pytest.param(
            [node("a", gather_from_node="z")],
            {},
            "node 'a': gather_from_node names 'z', and there is no such node",
            id="gather from nowhere",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.y"}, gather_from_node="a")],
            {},
            "node 'b': gather_from_node names 'a', which has no demultiply_count",
            id="gather from no demultiplexer",
        ),
        pytest.param(
            [node("a", gather_from_node="request")],
            {},
            "gather_from_node names 'request', which has no demultiply_count",
            id="gather from an entry that does not split",
        ),
        pytest.param(
            [node("a", inputs={"x": "z.y"})],
            {},
            "node 'a': input 'x' refers to node 'z', and there is no such node",
            id="missing node",
        ),
        pytest.param(
            [node("a", inputs={"x": "response.y"})],
            {},
            "node 'a': input 'x' refers to 'response', which gives nothing",
            id="exit as a source",
        ),
        pytest.param(
            [node("a", inputs={"z": "request.x"})],
            {},
            "node 'a': model 'm' version 1 has no input 'z', it has 'x'",
            id="missing model input",
        ),
        pytest.param(
            [
                {
                    **node("a"),
                    "inputs": [{"x": {"node_name": "request", "data_item": "x"}}] * 2,
                }
            ],
            {},
            "node 'a': input 'x' is given more than once",
            id="input connected twice",
        ),
        pytest.param(
            [node("a", inputs={"x": "request.z"})],
            {},
            "node 'a': input 'x' refers to 'z', and the pipeline's inputs are 'x'",
            id="missing pipeline input",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.z"})],
            {},
            "node 'b': input 'x' refers to 'z', and the outputs of node 'a' are 'y'",
            id="missing alias",
        ),
        pytest.param(
            [node("a")],
            {"outputs": "y=a.z"},
            "output 'y' refers to 'z', and the outputs of node 'a' are 'y'",
            id="output",
        ),
        pytest.param([node("a")], {"outputs": "y=z.y"}, "output 'y' refers to node 'z'", id="output of a missing node"),
        pytest.param(
            [node("a", outputs="z=y")],
            {},
            "node 'a': model 'm' version 1 has no output 'z', it has 'y'",
            id="missing model output",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.y"})],
            {"members": {"b": model((1, 11))}},
            r"node 'b': input 'x' of model 'm' version 1 expects shape \(1,11\), output 'y' of node 'a' has \(1,10\)",
            id="shape",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.y"})],
            {"members": {"b": model((1, 10, 1))}},
            r"expects shape \(1,10,1\), output 'y' of node 'a' has \(1,10\)",
            id="rank",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.y"})],
            {"members": {"a": model(((1, 2), -1)), "b": model(((3, 4), 5))}},
            r"expects shape \(\[3~4\],5\), output 'y' of node 'a' has \(\[1~2\],-1\)",
            id="ranges that do not overlap",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.y"})],
            {"members": {"b": model(dtype=DType.INT32)}},
            "node 'b': input 'x' of model 'm' version 1 expects datatype INT32, output 'y' of node 'a' has FP32",
            id="datatype",
        ),
        pytest.param(
            [node("a"), node("b", inputs={"x": "a.y"})],
            {"members": {"a": model((1, 2, 3, 4), layout="NCHW"), "b": model((1, 2, 3, 4), layout="NHWC")}},
            "expects layout NHWC, output 'y' of node 'a' has NCHW",
            id="layout on an edge",
        ),
        pytest.param(
            [node("s", demultiply_count=4), node("b", inputs={"x": "s.y"})],
            {"members": {**SPLIT, "b": model((4, 1, 10))}},
            r"node 'b': input 'x' .* expects shape \(4,1,10\), output 'y' of node 's' has \(1,10\)",
            id="shape after splitting",
        ),
        pytest.param(
            [
                node("s", demultiply_count=4),
                node("b", inputs={"x": "s.y"}),
                node("c", inputs={"x": "b.y"}, gather_from_node="s"),
            ],
            {"members": SPLIT},
            r"node 'c': input 'x' .* expects shape \(1,10\), output 'y' of node 'b' has \(4,1,10\)",
            id="shape after gathering",
        ),
        pytest.param(
            [node("a")],
            {"members": {"a": model(inputs="x w")}},
            "node 'a': nothing is connected to input 'w' of model 'm' version 1",
            id="not all inputs connected",
        ),
        pytest.param(
            [node("a", inputs={"x": "b.y"}), node("b", inputs={"x": "a.y"})],
            {},
            "the nodes feed each other in a circle: ",
            id="cycle",
        ),
        pytest.param(
            [node("a"), node("b")], {"outputs": "y=a.y"}, "node 'b' is connected to no output", id="unconnected node"
        ),
        pytest.param(
            [
                node("s", demultiply_count=4),
                node("t", inputs={"x": "s.y"}, demultiply_count=4),
                node("b", inputs={"x": "t.y"}, gather_from_node="s"),
            ],
            {"members": {**SPLIT, "t": model((1, 10), (4, 1, 10))}},
            "node 'b' gathers from 's', but what reaches it are shards of 't' in 's': the demultiplexer met last",
            id="order of gathering",
        ),
        pytest.param(
            [node("s", demultiply_count=4), node("b", inputs={"x": "s.y", "w": "request.x"})],
            {"members": {**SPLIT, "b": model(inputs="x w")}},
            "node 'b' gets tensors of different branches: some are shards of nothing, others of 's'",
            id="different branches",
        ),
        pytest.param(
            [node("a"), node("b")],
            {"outputs": "y=a.y z=b.y", "members": {"b": model((1, 11))}},
            r"input 'x' feeds nodes that cannot take the same tensor: shapes \(1,10\) and \(1,11\)",
            id="ambiguous shape",
        ),
        pytest.param(
            [node("a"), node("b")],
            {"outputs": "y=a.y z=b.y", "members": {"b": model(dtype=DType.FP16)}},
            "input 'x' feeds nodes that cannot take the same tensor: datatypes FP32 and FP16",
            id="ambiguous datatype",
        ),
        pytest.param(
            [node("a"), node("b")],
            {
                "outputs": "y=a.y z=b.y",
                "members": {"a": model((1, 2, 3, 4), layout="NCHW"), "b": model((1, 2, 3, 4), layout="NHWC")},
            },
            "input 'x' feeds nodes that cannot take the same tensor: layouts NCHW and NHWC",
            id="ambiguous layout",
        ),
        pytest.param([node("a")], {"inputs": "x x"}, "input 'x' is given more than once", id="input twice"),
        pytest.param([node("a")], {"outputs": "y=a.y y=a.y"}, "output 'y' is given more than once", id="output twice"),
    ],
)
def test_what_contradicts_itself_is_told_with_node_and_tensor(
    nodes: list[dict[str, Any]], fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(WrongPipeline, match=sentence):
        planned(*nodes, **fields)


def test_an_input_and_an_output_are_the_models_own() -> None:
    found = planned(node("a"), members={"a": model(((1, 20), (3, 17)))})
    assert text(found.inputs) == {"x": "([1~20],[3~17])"}
    assert text(found.outputs) == {"y": "([1~20],[3~17])"}
    assert found.inputs[0].wire_shape == [-1, -1]


def test_an_input_that_feeds_two_models_is_what_fits_both() -> None:
    both = {"a": model(((1, 20), (3, 17)), layout="N..."), "b": model(((15, 30), (1, 4)), layout="NC")}
    found = planned(node("a"), node("b"), outputs="y=a.y z=b.y", members=both)
    assert text(found.inputs) == {"x": "([15~20],[3~4])"}
    assert found.inputs[0].layout == "NC"
    assert text(found.outputs) == {"y": "([1~20],[3~17])", "z": "([15~30],[1~4])"}


def test_at_the_entry_a_demultiplexer_puts_a_dimension_in_front() -> None:
    found = planned(node("a"), demultiply_count=-1, members={"a": model((1, 3), layout="NC")})
    assert [one.wire_shape for one in (*found.inputs, *found.outputs)] == [[-1, 1, 3], [-1, 1, 3]]
    assert [one.layout for one in (*found.inputs, *found.outputs)] == ["N?C", None]


def test_a_static_demultiplexer_shows_its_count() -> None:
    found = planned(node("a"), demultiply_count=5)
    assert [one.wire_shape for one in (*found.inputs, *found.outputs)] == [[5, 1, 10], [5, 1, 10]]


def test_zero_is_the_older_word_for_any_count() -> None:
    assert planned(node("a"), demultiply_count=0).demultiplies == -1


def test_a_demultiplexer_that_no_node_gathers_is_gathered_by_the_response() -> None:
    nodes = [node("s", demultiply_count=4), node("t", inputs={"x": "s.y"}, demultiply_count=2)]
    last = node("b", inputs={"x": "t.y"})
    found = planned(*nodes, last, members={**SPLIT, "t": model((1, 10), (2, 1, 10))})
    assert found.results["y"].gathers == ("s", "t")
    assert text(found.outputs) == {"y": "(4,2,1,10)"}


def test_a_dynamic_demultiplexer_shows_the_first_dimension_that_its_node_declares() -> None:
    nodes = [node("s", demultiply_count=-1), node("b", inputs={"x": "s.y"})]
    assert text(planned(*nodes, members=SPLIT).outputs) == {"y": "(4,1,10)"}
    assert planned(*nodes, members={"s": model(out=(-1, 1, 10))}).outputs[0].wire_shape == [-1, 1, 10]


def test_outputs_may_come_from_different_depths() -> None:
    nodes = [node("s", demultiply_count=4), node("b", inputs={"x": "s.y"})]
    found = planned(*nodes, outputs="y=b.y x=request.x", members=SPLIT)
    assert text(found.outputs) == {"y": "(4,1,10)", "x": "(1,10)"}


def test_a_node_that_gathers_takes_the_shards_as_its_first_dimension() -> None:
    nodes = [
        node("s", demultiply_count=4),
        node("b", inputs={"x": "s.y"}),
        node("c", inputs={"x": "b.y"}, gather_from_node="s"),
    ]
    found = planned(*nodes, members={**SPLIT, "c": model(((2, 8), 1, 10))})
    assert [step.gathers for step in found.steps] == [None, None, "s"]
    assert text(found.outputs) == {"y": "([2~8],1,10)"}


def test_two_dimensions_are_enough_to_split() -> None:
    found = planned(node("s", demultiply_count=4), members={"s": model(out=(4, 7))})
    assert found.results["y"].source.spec is not None
    assert text((found.results["y"].source.spec,)) == {"y": "(7)"}


def test_an_input_that_goes_to_no_node_may_be_anything() -> None:
    found = planned(node("a"), inputs="x id", outputs="y=a.y id=request.id")
    assert (found.inputs[1].datatype, found.inputs[1].dims, found.outputs[1].dtype) == ("UNDEFINED", None, None)


def test_a_shape_of_any_rank_fits_every_other() -> None:
    found = planned(node("a"), node("b", inputs={"x": "a.y"}), members={"a": model(None, None)})
    assert text(found.inputs) == {"x": "any"}


def test_strings_go_from_node_to_node_and_can_be_split() -> None:
    strings = model((-1, 3), (-1, 3), dtype=DType.BYTES)
    one = model((3,), (3,), dtype=DType.BYTES)
    nodes = [node("s", demultiply_count=-1), node("b", inputs={"x": "s.y"})]
    assert planned(*nodes, members={"s": strings, "b": one}).outputs[0].dtype is DType.BYTES


def test_nodes_may_be_listed_in_any_order() -> None:
    found = planned(node("b", inputs={"x": "a.y"}), node("a"), outputs="y=b.y")
    assert [step.node for step in found.steps] == ["a", "b"]
