"""`Client.pipeline` and the graph that it gives."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as pb

from fake_pipelines import FACES, SEED_003, edge, graph, node
from ovclient import (
    AsyncClient,
    BadResponse,
    Client,
    InvalidRequest,
    NotFound,
    Overloaded,
    Pipeline,
    PipelineEdge,
    PipelineNode,
    PipelineTensor,
)
from ovclient.testing import FakeServer


def describe(server: FakeServer, text: str) -> None:
    """Have every model described by this text."""
    config = model_config_pb2.ModelConfig(name="p")
    config.parameters["pipeline"].string_value = text
    server.answer("ModelConfig", pb.ModelConfigResponse(config=config))


def test_the_graph_is_what_the_server_says(server: FakeServer, client: Client) -> None:
    describe(server, json.dumps(SEED_003))
    assert client.pipeline("resnet50DAG") == Pipeline(
        name="resnet50DAG",
        inputs=(PipelineTensor("0", "FP32", (-1, 1, 3, 224, 224)),),
        outputs=(PipelineTensor("1463", "FP32", (-1, 1, 1000)),),
        nodes=(PipelineNode("resnetNode", "model", "resnet", 1),),
        edges=(
            PipelineEdge("request", "0", "resnetNode", "0", "FP32", (1, 3, 224, 224)),
            PipelineEdge("resnetNode", "1463", "response", "1463", "FP32", (-1, 1, 1000)),
        ),
        demultiply_count=-1,
    )
    assert server.requests("ModelConfig")[0].name == "resnet50DAG"


def test_the_async_client_gives_the_same(server: FakeServer, client: Client) -> None:
    server.add_model("faces", dict, pipeline=Pipeline.from_document(FACES))

    async def main() -> Pipeline:
        async with AsyncClient(server.address) as twin:
            return await twin.pipeline("faces")

    assert asyncio.run(main()) == client.pipeline("faces")


@pytest.mark.parametrize("document", [SEED_003, FACES], ids=lambda document: document["name"])
def test_a_document_becomes_itself_again(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(Pipeline.from_document(document).document())) == document


def test_keys_we_do_not_know_yet_are_no_obstacle_and_what_is_not_known_may_be_left_out() -> None:
    plain = {key: value for key, value in edge("request.x response.y").items() if key not in ("datatype", "shape")}
    found = Pipeline.from_document({**graph(edges=[plain]), "layout": "NCHW"})
    assert found.edges == (PipelineEdge("request", "x", "response", "y", "", None),)


def test_nodes_stand_after_those_they_need_and_else_in_the_given_order() -> None:
    edges = [edge("c.y b.x"), edge("a.y d.x"), edge("request.x c.x"), edge("request.x a.x")]
    found = Pipeline.from_document(graph(nodes=[node(name, "m") for name in "bacd"], edges=edges))
    assert [step.name for step in found.nodes] == ["a", "c", "b", "d"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"nodes": [node("a", "m"), node("a", "m")]}, "pipeline 'p' has several nodes 'a'"),
        ({"nodes": [node("request", "m")]}, "pipeline 'p' has several nodes 'request'"),
        ({"edges": [edge("a.x response.y")]}, r"refers to node 'a', expected one of \['request'\]"),
        ({"edges": [edge("response.x response.y")]}, "refers to node 'response'"),
        ({"edges": [edge("request.x request.y")]}, "refers to node 'request', expected one of"),
        ({"nodes": [node("a", "m", gather_from="b")]}, "refers to node 'b'"),
        (
            {"nodes": [node(name, "m") for name in "abc"], "edges": [edge("a.y b.x"), edge("b.y a.x")]},
            r"nodes wait for one another: \['a', 'b'\]",
        ),
        ({"nodes": None}, "'nodes' must be of type list, got None"),
        ({"nodes": ["a"]}, "expected an object with 'name', got 'a'"),
        ({"nodes": [{"name": "a", "kind": "model"}]}, "'servable' is missing"),
        ({"nodes": [node("a", "m", "1")]}, "'version' must be of type int, got '1'"),
        ({"demultiply_count": True}, "'demultiply_count' must be of type int, got True"),
        ({"inputs": [{"name": "x", "shape": ["any"]}]}, "'shape' must hold whole numbers, got"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused_with_its_reason(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pipeline.from_document(graph(**parts))


def test_a_description_that_makes_no_sense_is_a_bad_response(server: FakeServer, client: Client) -> None:
    describe(server, json.dumps(graph(nodes=None)))
    with pytest.raises(BadResponse, match="pipeline 'p' in a way that is not understood: 'nodes' must"):
        client.pipeline("p")


@pytest.mark.parametrize("text", ["", "resize, then ask", "[1]"])
def test_another_servers_parameter_of_that_name_makes_no_pipeline(
    server: FakeServer, client: Client, text: str
) -> None:
    describe(server, text)
    with pytest.raises(InvalidRequest, match="model 'm' is not a pipeline"):
        client.pipeline("m")


def test_a_model_is_not_a_pipeline(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="model 'echo' is not a pipeline"):
        client.pipeline("echo")


def test_an_unknown_pipeline_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound, match="'nope'"):
        client.pipeline("nope")


def test_a_busy_server_is_told_apart_from_a_member_without_metadata(server: FakeServer, client: Client) -> None:
    config = model_config_pb2.ModelConfig(name="e")
    config.ensemble_scheduling.step.add(model_name="echo", model_version=-1)
    server.answer("ModelConfig", pb.ModelConfigResponse(config=config))
    server.fail("ModelMetadata", grpc.StatusCode.RESOURCE_EXHAUSTED, "too much to do")
    with pytest.raises(Overloaded, match="too much to do"):
        client.pipeline("e")
