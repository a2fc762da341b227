"""What server and workers say to each other: values as JSON and back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipelines
from ovserve.config.model import ModelConfig
from ovserve.config.settings import Settings
from ovserve.config.triton import DONE_BY_SERVER, read_triton, to_model_config
from ovserve.engine.core_budget import CoreBudget
from ovserve.errors import Code
from ovserve.observability.exposition import Family, Sample
from ovserve.ran import Ran
from ovserve.requests import Door, InferRequest, InferResponse, InSequence, Operation
from ovserve.security.refusals import Refusal
from ovserve.serving.readings import Reading
from ovserve.serving.registry import State
from ovserve.serving.statistics import Statistics
from ovserve.tensors import Dim, DType, Tensor, TensorSpec
from ovserve.workers.letters import values
from ovserve.workers.letters.counts import Counts
from ovserve.workers.letters.described import ToldEntry, ToldVersion
from ovserve.workers.letters.request_letters import read_request, read_response, write_request, write_response

DOCUMENT = {
    "name": "m",
    "backend": "python",
    "max_batch_size": 8,
    "version_policy": {"specific": {"versions": [1, 3]}},
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 3]}],
    "output": [{"name": "y", "data_type": "TYPE_STRING", "dims": [1], "label_filename": "labels.txt"}],
    "dynamic_batching": {
        "preferred_batch_size": [4, 8],
        "max_queue_delay_microseconds": 100,
        "priority_levels": 2,
        "default_priority_level": 1,
    },
    "instance_group": [{"kind": "KIND_CPU", "count": 2}],
    "parameters": {"own": {"string_value": "text"}},
}
CONFIGS = [
    ModelConfig(name="m", base_path=Path("m")),
    ModelConfig(
        name="m",
        base_path=Path("m"),
        shape='{"a": "(1,3,-1,200:500)", "b": "auto"}',
        layout='{"a": "NHWC:NCHW"}',
        batch_size=None,
        mean="[1,2,3]",
        scale="2",
        color_format="BGR:RGB",
        precision="UINT8:FP32",
        model_version_policy='{"specific": {"versions": [1, 2]}}',
        plugin_config={"NUM_STREAMS": "1", "AFFINITY": 2},
    ),
    ModelConfig(name="m", base_path=Path("m"), batch_size="auto", model_version_policy='{"all": {}}'),
    ModelConfig(name="m", base_path=Path("m"), batch_size="1:8", stateful=True),
    ModelConfig(
        name="p",
        base_path=Path("p"),
        pipeline=pipelines.pipeline(pipelines.node("n", "m", demultiply_count=-1), pipelines.node("g", "m")),
    ),
    to_model_config(read_triton(DOCUMENT, DONE_BY_SERVER), Path("x")),
]
SPEC = TensorSpec("x", DType.FP32, (Dim(1, 1), Dim(0, None)), layout="NC")


def counted() -> Statistics:
    statistics = Statistics()
    statistics.succeed(500, Ran({}, 100, 20, 30), 4)
    statistics.fail(7)
    statistics.answer(Door("KServe", "gRPC"), Operation.INFER, 600, good=True)
    return statistics


def through(value: Any) -> Any:
    """What the other end reads."""
    return values.read(json.loads(json.dumps(values.write(value))))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_models_settings_come_through(config: ModelConfig) -> None:
    read = through(config)
    assert read == config
    assert type(read) is ModelConfig
    assert read.model_fields_set == config.model_fields_set


def test_all_settings_come_through() -> None:
    settings = Settings(model_repository=[Path("a"), Path("b")], shape="(1,3,-1,-1)", allow_credentials=True, cores=3)
    read = through(settings)
    assert read == settings
    assert (read.cors, read.processes, read.grpc_addresses) == (settings.cors, 1, ("127.0.0.1",))


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, "a", 2.5, True, ()),
        [1, (2, [3])],
        frozenset({1, 2}),
        {"$": "map", 3: {"of": ("x",)}},
        Path("a/b"),
        float("inf"),
        Code.NOT_READY,
        Door("KServe", "REST"),
        CoreBudget(2, 4),
        ToldEntry({1: ToldVersion(State.LOADING, "no", None)}, None, removed=False),
        Counts(
            {3: Reading(counted().read(), 1, 1, 2, 1)},
            5,
            4,
            {Refusal("gRPC", "metrics", Code.FORBIDDEN): 2},
            (Family("f", "counter", "of it", [Sample({"le": "1"}, 2, "_bucket")]),),
        ),
    ],
)
def test_a_value_comes_through_as_what_it_was(value: Any) -> None:
    read = through(value)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("value", [object(), np.zeros(1), Statistics(), b"bytes", Tensor(DType.UINT8, np.zeros(1))])
def test_nothing_else_goes_into_a_letter(value: object) -> None:
    with pytest.raises(TypeError, match="is nothing that goes into a letter"):
        values.write(value)


@pytest.mark.parametrize("kind", ["os.system", "builtins.eval", "Registry", "serving.registry.Registry"])
def test_no_letter_makes_anything_that_is_not_named(kind: str) -> None:
    with pytest.raises(KeyError):
        values.read({"$": kind, "of": {}})


def test_a_request_comes_through_with_its_tensors_beside_it() -> None:
    x, y = Tensor(DType.FP32, np.float32([1, 2])), Tensor(DType.INT64, np.array([3]))
    request = InferRequest(
        "m",
        {"x": x, "y": y},
        2,
        frozenset({"z"}),
        "id",
        {"z": 3},
        {"own": 1.5, "is": True},
        InSequence("s", starts=True),
        priority=1,
        timeout_us=7,
        within=("outer",),
    )
    written, tensors = write_request(request)
    assert read_request(json.loads(json.dumps(written)), tensors) == request
    assert tensors == [x, y]


def test_a_response_comes_through_with_its_times() -> None:
    y = {"y": Tensor(DType.FP32, np.float32([1, 2]))}
    response = InferResponse("m", 2, y, "id", Ran(y, 5, 6, 7, executed=3), {"own": "text"})
    written, tensors = write_response(response)
    assert read_response(json.loads(json.dumps(written)), tensors) == response


def test_a_spec_comes_through() -> None:
    assert through(SPEC) == SPEC
