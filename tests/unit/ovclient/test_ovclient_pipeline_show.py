"""`ovclient pipeline show`: what a person sees, and what other programs get."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fake_pipelines import FACES, SEED_003, edge, graph, node
from ovclient import Pipeline
from ovclient.cli.pipeline_dot import dot
from ovclient.cli.pipeline_terminal import print_pipeline
from ovclient.cli.pipeline_text import lines, plain
from ovclient.testing import FakeServer
from ovclient_command import Run

CLIENTS = Path(__file__).resolve().parents[3] / "backend/docs/clients.md"
FACES_SHOWN = [
    "faces",
    "  request",
    "    image       FP32 [1,3,300,300]",
    "  detector: model face-detection, version 1",
    "    data        <- request.image           FP32 [1,3,300,300]",
    "  crop: python cut_out_faces, splits into any number of branches",
    "    image       <- request.image           FP32 [1,3,300,300]",
    "    detections  <- detector.detection_out  FP32 [1,1,200,7]",
    "  classifier: model age-gender, version 2, for each branch of crop",
    "    data        <- crop.faces              FP32 [1,3,62,62]",
    "  response: gathers the branches of crop",
    "    ages        <- classifier.age          FP32 [-1,1,1,1,1]",
    "    boxes       <- crop.boxes              FP32 [-1,1,4]",
]


def text(document: dict[str, Any], width: int | None = None) -> list[str]:
    return [plain(line) for line in lines(Pipeline.from_document(document), width)]


def serve(server: FakeServer, document: dict[str, Any]) -> None:
    server.add_model(document["name"], dict, pipeline=Pipeline.from_document(document))


def test_the_pipeline_of_seed_003(run: Run, server: FakeServer) -> None:
    serve(server, SEED_003)
    done = run("pipeline", "show", "resnet50DAG")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "resnet50DAG",
        "  request: splits into any number of branches",
        "    0     FP32 [-1,1,3,224,224]",
        "  resnetNode: model resnet, version 1, for each branch of request",
        "    0     <- request.0        FP32 [1,3,224,224]",
        "  response: gathers the branches of request",
        "    1463  <- resnetNode.1463  FP32 [-1,1,1000]",
    ]


def test_a_node_that_splits_has_branches_behind_it() -> None:
    assert text(FACES) == FACES_SHOWN


def test_the_page_on_clients_shows_what_the_command_prints() -> None:
    assert "\n".join(["```", *FACES_SHOWN, "```"]) in CLIENTS.read_text()


NESTED = graph(
    demultiply_count=4,
    nodes=[
        node("cut", "cut_out", None, kind="python", demultiply_count=2),
        node("read", "reader"),
        node("vote", "vote", None, kind="python", gather_from="cut"),
    ],
    edges=[
        edge("request.x cut.x"),
        edge("cut.y read.x"),
        edge("read.y vote.x"),
        edge("vote.y response.y"),
        edge("read.y response.all"),
    ],
)


def test_branches_within_branches_are_named_until_they_are_gathered() -> None:
    heads = [line for line in text(NESTED) if re.match(r"  \w", line)]
    assert heads == [
        "  request: splits into 4 branches",
        "  cut: python cut_out, for each branch of request, splits into 2 branches",
        "  read: model reader, version 1, for each branch of request and cut",
        "  vote: python vote, gathers the branches of cut, for each branch of request",
        "  response",
    ]


def test_tensors_of_one_node_that_are_gathered_differently_say_so_themselves() -> None:
    assert text(NESTED)[-2:] == [
        "    y    <- vote.y     unknown  gathered from request",
        "    all  <- read.y     unknown  gathered from request and cut",
    ]


@pytest.mark.parametrize(
    ("datatype", "shape", "shown"),
    [("FP32", [], "FP32 []"), ("BYTES", None, "BYTES"), ("", [-1, 2], "[-1,2]"), ("", None, "unknown")],
)
def test_a_type_is_shown_as_far_as_it_is_known(datatype: str, shape: list[int] | None, shown: str) -> None:
    assert text(graph(edges=[edge("request.x response.y", datatype, shape)]))[-1] == f"    y  <- request.x  {shown}"


def test_a_name_over_several_lines_is_one_line() -> None:
    assert text(graph("a\nb", nodes=[node("c\nd", "m")])) == [
        "a b",
        "  request",
        "  c d: model m, version 1",
        "  response",
    ]


def test_on_a_narrow_terminal_columns_are_each_nodes_own() -> None:
    assert text(FACES, 56)[-2:] == [
        "    ages   <- classifier.age  FP32 [-1,1,1,1,1]",
        "    boxes  <- crop.boxes      FP32 [-1,1,4]",
    ]


def test_what_fits_no_column_stands_on_lines_of_its_own() -> None:
    assert text(FACES, 56)[5:11] == [
        "  crop: python cut_out_faces",
        "      splits into any number of branches",
        "    image  FP32 [1,3,300,300]",
        "      <- request.image",
        "    detections  FP32 [1,1,200,7]",
        "      <- detector.detection_out",
    ]


@pytest.mark.parametrize("width", range(44, 100))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert [line for line in text(FACES, width) if len(line) > width] == []


def test_one_long_name_does_not_spread_the_others() -> None:
    long = "n" * 50
    nodes = [node("a", "m"), node(long, "m")]
    edges = [edge("request.x a.x", "FP32", [1]), edge(f"a.y {long}.x", "FP32", [1]), edge(f"{long}.y response.y")]
    found = text(graph(nodes=nodes, edges=edges), 71)
    assert "    x  <- request.x  FP32 [1]" in found
    assert "    x  <- a.y  FP32 [1]" in found
    assert f"    y  <- {long}.y  unknown" in found


def test_a_person_sees_names_as_they_are_and_types_in_colour() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False, force_terminal=True, color_system="standard")
    document = graph("[bold]p[/bold]", edges=[edge("request.x response.y", "FP32", [1])])
    print_pipeline(Pipeline.from_document(document), console)
    assert "[bold]p[/bold]" in out.getvalue()
    assert "\x1b[36mFP32 [1]" in out.getvalue()


def test_json_is_the_servers_document(run: Run, server: FakeServer) -> None:
    serve(server, FACES)
    assert json.loads(run("pipeline", "show", "--pipeline_name", "faces", "--json").out) == FACES


# A quoted name of Graphviz's language, and the two statements that we write.
NAME = r'"(?:[^"\\]|\\.)*"'
NODE = re.compile(rf"  ({NAME}) \[label=({NAME})( shape=ellipse)?\];")
EDGE = re.compile(rf"  ({NAME}) -> ({NAME}) \[label=({NAME})\];")


def parsed(drawing: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The nodes and edges of a drawing in which nothing else stands."""
    head, *body, end = drawing.splitlines()
    assert re.fullmatch(rf"digraph {NAME} \{{", head)
    assert (body[:2], end) == (["  rankdir=LR;", "  node [shape=box];"], "}")
    found = [(line, NODE.fullmatch(line), EDGE.fullmatch(line)) for line in body[2:]]
    assert [line for line, is_node, is_edge in found if not (is_node or is_edge)] == []
    nodes = [is_node.groups() for _, is_node, _ in found if is_node]
    return nodes, [is_edge.groups() for _, _, is_edge in found if is_edge]


def test_dot_draws_every_node_and_every_edge(run: Run, server: FakeServer) -> None:
    serve(server, SEED_003)
    nodes, edges = parsed(run("pipeline", "show", "resnet50DAG", "--dot").out)
    assert nodes == [
        ('"request"', r'"request\nsplits into any number of branches\n0 FP32 [-1,1,3,224,224]"', " shape=ellipse"),
        ('"resnetNode"', r'"resnetNode\nmodel resnet, version 1\nfor each branch of request"', None),
        ('"response"', r'"response\ngathers the branches of request"', " shape=ellipse"),
    ]
    assert edges == [
        ('"request"', '"resnetNode"', r'"0\nFP32 [1,3,224,224]"'),
        ('"resnetNode"', '"response"', r'"1463\nFP32 [-1,1,1000]"'),
    ]


def test_an_edge_between_different_names_shows_both() -> None:
    _, edges = parsed(dot(Pipeline.from_document(FACES)))
    assert ('"crop"', '"classifier"', r'"faces -> data\nFP32 [1,3,62,62]"') in edges


@pytest.mark.parametrize(
    ("name", "quoted", "label"),
    [
        ('a"b', r'"a\"b"', r'"a\"b\nmodel m, version 1"'),
        ("a\\", r'"a\\"', r'"a\\\nmodel m, version 1"'),
        ("a&lt;b", '"a&lt;b"', r'"a&amp;lt;b\nmodel m, version 1"'),
        ("a\nb", '"a b"', r'"a b\nmodel m, version 1"'),
        ("naïve 图", '"naïve 图"', r'"naïve 图\nmodel m, version 1"'),
    ],
)
def test_any_name_can_be_drawn(name: str, quoted: str, label: str) -> None:
    document = graph(name, nodes=[node(name, "m")], edges=[edge("request.x response.y")])
    nodes, _ = parsed(dot(Pipeline.from_document(document)))
    assert nodes[1] == (quoted, label, None)


def test_a_model_is_one_line_and_exit_1(run: Run) -> None:
    done = run("pipeline", "show", "echo")
    assert (done.code, done.out, done.err) == (1, "", "ovclient: model 'echo' is not a pipeline\n")


@pytest.mark.parametrize(
    ("arguments", "message"), [([], "pipeline_name"), (["p", "--dot", "--json"], "--dot and --json exclude each other")]
)
def test_wrong_usage_is_one_line_and_exit_2(run: Run, server: FakeServer, arguments: list[str], message: str) -> None:
    done = run("pipeline", "show", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
    assert server.received == []
