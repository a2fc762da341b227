"""A Triton ensemble as a pipeline."""

from typing import Any

import grpc
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as pb

from ovclient import BadResponse, Client, PipelineEdge, PipelineNode, PipelineTensor
from ovclient.testing import FakeServer

CONFIG = """
name: "chain"
platform: "ensemble"
max_batch_size: 8
input { name: "picture" data_type: TYPE_UINT8 dims: [ -1 ] }
output { name: "label" data_type: TYPE_STRING dims: [ 1 ] }
ensemble_scheduling {
  step {
    model_name: "decode"
    model_version: -1
    input_map { key: "bytes" value: "picture" }
    output_map { key: "pixels" value: "decoded" }
  }
  step {
    model_name: "classify"
    model_version: 3
    input_map { key: "data" value: "decoded" }
    output_map { key: "names" value: "label" }
  }
}
"""


def serve(server: FakeServer, text: str = CONFIG) -> None:
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    server.answer("ModelConfig", pb.ModelConfigResponse(config=config))
    server.add_model(
        "decode", dict, inputs={"bytes": ("UINT8", [-1, -1])}, outputs={"pixels": ("FP32", [-1, 3, -1, -1])}
    )
    server.add_model(
        "classify",
        dict,
        inputs={"data": ("FP32", [-1, 3, 224, 224])},
        outputs={"names": ("BYTES", [-1, 1])},
        version="3",
    )


def test_steps_are_nodes_and_the_tensors_they_share_are_edges(server: FakeServer, client: Client) -> None:
    serve(server)
    found = client.pipeline("chain")
    assert (found.name, found.demultiply_count) == ("chain", None)
    assert found.inputs == (PipelineTensor("picture", "UINT8", (-1, -1)),)
    assert found.outputs == (PipelineTensor("label", "BYTES", (-1, 1)),)
    assert found.nodes == (PipelineNode("decode", "model", "decode"), PipelineNode("classify", "model", "classify", 3))
    assert found.edges == (
        PipelineEdge("request", "picture", "decode", "bytes", "UINT8", (-1, -1)),
        PipelineEdge("decode", "pixels", "classify", "data", "FP32", (-1, 3, 224, 224)),
        PipelineEdge("classify", "names", "response", "label", "BYTES", (-1, 1)),
    )


def test_members_are_asked_once_each_for_the_version_that_runs(server: FakeServer, client: Client) -> None:
    serve(server)
    client.pipeline("chain")
    assert [(asked.name, asked.version) for asked in server.requests("ModelMetadata")] == [
        ("decode", ""),
        ("classify", "3"),
    ]


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_without_the_members_metadata_only_the_configurations_shapes_are_known(
    server: FakeServer, client: Client, code: grpc.StatusCode
) -> None:
    serve(server)
    server.fail("ModelMetadata", code, "model is not ready")
    assert [(edge.datatype, edge.shape) for edge in client.pipeline("chain").edges] == [
        ("UINT8", (-1, -1)),
        ("", None),
        ("BYTES", (-1, 1)),
    ]


def test_without_batching_shapes_are_as_configured(server: FakeServer, client: Client) -> None:
    serve(server, CONFIG.replace("max_batch_size: 8", ""))
    assert client.pipeline("chain").inputs == (PipelineTensor("picture", "UINT8", (-1,)),)


def test_a_model_used_twice_is_two_nodes(server: FakeServer, client: Client) -> None:
    serve(server, CONFIG.replace('"decode"', '"classify"'))
    nodes = client.pipeline("chain").nodes
    assert [(node.name, node.servable) for node in nodes] == [("classify", "classify"), ("classify (2)", "classify")]


def test_a_model_with_a_fixed_nodes_name_gets_another(server: FakeServer, client: Client) -> None:
    serve(server, CONFIG.replace('"decode"', '"request"'))
    (first, _) = client.pipeline("chain").nodes
    assert (first.name, first.servable) == ("request (2)", "request")


def test_a_tensor_that_nothing_makes_is_a_bad_response(server: FakeServer, client: Client) -> None:
    serve(server, CONFIG.replace('value: "decoded"', 'value: "nothing"', 1))
    with pytest.raises(BadResponse, match="no step of ensemble 'chain' makes tensor 'decoded'"):
        client.pipeline("chain")


def edges_of(found: Any) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in found.edges]


def test_a_step_may_be_listed_before_those_it_needs(server: FakeServer, client: Client) -> None:
    head, first, second = CONFIG.split("  step")
    serve(server, f"{head}  step{second.rstrip().removesuffix('}')}  step{first}}}")
    found = client.pipeline("chain")
    assert [node.name for node in found.nodes] == ["decode", "classify"]
    assert ("decode", "classify") in edges_of(found)
