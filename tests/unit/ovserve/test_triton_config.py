from pathlib import Path

import pytest

from ovserve.config.declared import TritonConfig, WrongTritonConfig
from ovserve.config.model import ModelConfig
from ovserve.config.shapes import AUTO
from ovserve.config.triton import DONE_BY_SERVER, DONE_BY_TRITON, read_triton, to_model_config
from ovserve.tensors import Dim, DType

# What Triton 2.51 hands to a backend for a model with an empty config.pbtxt.
FILLED_IN = {
    "name": "m",
    "platform": "",
    "backend": "openvino_py",
    "runtime": "model.py",
    "version_policy": {"latest": {"num_versions": 1}},
    "max_batch_size": 0,
    "input": [],
    "output": [],
    "batch_input": [],
    "batch_output": [],
    "optimization": {"priority": "PRIORITY_DEFAULT", "input_pinned_memory": {"enable": True}, "eager_batching": False},
    "instance_group": [{"name": "m", "kind": "KIND_CPU", "count": 1, "gpus": [], "passive": False}],
    "default_model_filename": "model.py",
    "cc_model_filenames": {},
    "metric_tags": {},
    "parameters": {},
    "model_warmup": [],
}


LATEST = {"model_version_policy": '{"latest": {"num_versions": 1}}'}


def read(**fields: object) -> TritonConfig:
    return read_triton({**FILLED_IN, **fields}, DONE_BY_TRITON)


def parameters(**texts: str) -> TritonConfig:
    return read(parameters={key: {"string_value": text} for key, text in texts.items()})


def model(**texts: str) -> ModelConfig:
    return to_model_config(parameters(**texts), Path())


def test_what_triton_fills_in_says_nothing() -> None:
    assert read() == TritonConfig("m", settings=LATEST, document=FILLED_IN)
    assert to_model_config(read(), Path("x")) == ModelConfig(name="m", base_path=Path("x"))


@pytest.mark.parametrize("name", ["shape", "SHAPE", "Shape"])
def test_a_parameter_of_ours_goes_by_its_name_in_any_case(name: str) -> None:
    assert model(**{name: "auto"}).shape is AUTO


def test_every_setting_of_a_model_is_a_parameter() -> None:
    found = model(
        target_device="AUTO",
        plugin_config='{"NUM_STREAMS": 2}',
        nireq="3",
        max_queue="4",
        queue_timeout="1.5",
        shape="(1,-1)",
        batch_size="2",
        strict_shape="true",
        layout="NHWC",
        mean="[1,2,3]",
        scale="2",
        color_format="RGB:BGR",
        precision="UINT8:FP32",
    )
    assert set(found.model_fields_set) >= {"nireq", "max_queue", "shape", "layout", "mean", "precision"}
    assert (found.target_device, found.nireq, found.max_queue, found.queue_timeout) == ("AUTO", 3, 4, 1.5)
    assert (found.plugin_config, found.strict_shape, found.mean) == ({"NUM_STREAMS": 2}, True, (1.0, 2.0, 3.0))


def test_tritons_parameters_become_properties() -> None:
    found = model(
        PERFORMANCE_HINT="LATENCY",
        NUM_STREAMS="AUTO",
        INFERENCE_NUM_THREADS="2",
        COMPILATION_NUM_THREADS="0",
        HINT_BF16="YES",
        TARGET_DEVICE="GPU",
        plugin_config='{"ENABLE_CPU_PINNING": false}',
    )
    assert found.target_device == "GPU"
    assert found.plugin_config == {
        "ENABLE_CPU_PINNING": False,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "AUTO",
        "INFERENCE_NUM_THREADS": "2",
        "COMPILATION_NUM_THREADS": "0",
        "INFERENCE_PRECISION_HINT": "bf16",
    }
    assert model(HINT_BF16="NO").plugin_config == {}


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            {"INFERENCE_NUM_THREADS": "-1"},
            "expected the parameter 'INFERENCE_NUM_THREADS' to be a non-negative number, got -1",
        ),
        ({"CPU_EXTENSION_PATH": "x.so"}, "parameter 'CPU_EXTENSION_PATH' is not supported"),
        ({"shape": "(1,x)"}, r"parameter 'shape': '\(1,x\)' is not a shape: .*, got '\(1,x\)'"),
        ({"nireq": "many"}, "parameter 'nireq': .*, got 'many'"),
        ({"mean": "1"}, "parameter 'mean' requires the parameter 'layout'"),
        ({"plugin_config": "["}, "parameter 'plugin_config' is not JSON"),
        ({"plugin_config": "[]"}, "parameter 'plugin_config' must be a JSON object"),
        ({"plugin_config": '{"NUM_STREAMS": 1}', "NUM_STREAMS": "2"}, "'NUM_STREAMS' is given in plugin_config too"),
        ({"shape": "auto", "SHAPE": "auto"}, "parameter 'SHAPE' is given twice"),
        ({"RESHAPE_IO_LAYERS": "YES"}, "parameter 'RESHAPE_IO_LAYERS' requires inputs with dims"),
    ],
)
def test_a_wrong_parameter_is_told_in_one_sentence(texts: dict[str, str], sentence: str) -> None:
    with pytest.raises(WrongTritonConfig, match=sentence):
        model(**texts)


X = {"name": "x", "data_type": "TYPE_STRING", "dims": ["-1", "4"]}


def test_tensors_are_read_with_dims_as_text_or_numbers() -> None:
    (one, two) = read(input=[X, {"name": "y", "dims": [2], "reshape": {"shape": []}}]).inputs
    assert (one.dtype, one.dims, one.model_dims, one.is_complete) == (DType.BYTES, (-1, 4), (-1, 4), True)
    assert (two.dtype, two.model_dims, two.is_complete) == (None, (), False)


def test_max_batch_size_is_a_batch_that_the_model_must_take() -> None:
    found = to_model_config(read(max_batch_size=8), Path())
    assert (found.batch_size, found.strict_shape) == (Dim(1, 8), True)


@pytest.mark.parametrize("texts", [{"shape": "auto"}, {"batch_size": "4"}])
def test_a_shape_of_ones_own_beats_max_batch_size(texts: dict[str, str]) -> None:
    values = {key: {"string_value": text} for key, text in texts.items()}
    found = read(max_batch_size=8, parameters=values)
    assert set(found.settings) == {*texts, *LATEST}


@pytest.mark.parametrize(("most", "shape"), [(0, (Dim(0, None), Dim(4, 4))), (1, None), (8, None)])
def test_reshape_io_layers_takes_the_dims_declared(most: int, shape: object) -> None:
    yes = {"RESHAPE_IO_LAYERS": {"string_value": "yes"}}
    wanted = to_model_config(read(max_batch_size=most, input=[X], parameters=yes), Path())
    batch = {0: (), 1: (Dim(1, 1),), 8: (Dim(1, 8),)}[most]
    assert dict(wanted.shape) == {"x": (*batch, Dim(0, None), Dim(4, 4))}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"sequence_batching": {"x": 1}}, "sequence_batching is not supported"),
        ({"parameters": {"STATEFUL": {"string_value": "true"}}}, "parameter 'STATEFUL' is not supported"),
        ({"batch_input": [{"kind": "X"}]}, "batch_input is not supported"),
        ({"ensemble_scheduling": {"step": []}}, "ensemble_scheduling is not supported"),
        ({"input": [{**X, "is_shape_tensor": True}]}, "input 'x': is_shape_tensor is not supported"),
        ({"instance_group": [{"kind": "KIND_GPU"}]}, "only KIND_CPU and KIND_AUTO are supported, got KIND_GPU"),
        ({"default_model_filename": "../other.xml"}, "is not the name of a file"),
        ({"default_model_filename": ".."}, "is not the name of a file"),
    ],
)
def test_what_would_change_answers_is_refused(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(WrongTritonConfig, match=sentence):
        read(**fields)


def test_what_has_no_effect_is_warned_about_by_name() -> None:
    found = read(
        cc_model_filenames={"7.5": "x"},
        optimization={"execution_accelerators": {"gpu": []}, "cuda": {"graphs": True}},
        input=[{**X, "format": "FORMAT_NHWC", "optional": True}],
        parameters={"Other": {"string_value": "1"}, "SKIP_OV_DYNAMIC_BATCHSIZE": {"string_value": "yes"}},
        response_cache={"enable": True},
    )
    assert [sentence.split(" has no effect")[0] for sentence in found.warnings] == [
        "cc_model_filenames",
        "optimization.execution_accelerators",
        "optimization.cuda",
        "input 'x': format",
        "input 'x': optional",
        "parameter 'Other' is unknown and",
        "parameter 'SKIP_OV_DYNAMIC_BATCHSIZE'",
    ]


def test_what_triton_does_itself_has_an_effect_only_there() -> None:
    document = {"response_cache": {"enable": True}}
    assert read_triton(document, DONE_BY_TRITON).warnings == ()
    assert read_triton(document, frozenset()).warnings == ("response_cache has no effect",)


@pytest.mark.parametrize(
    ("groups", "count"), [([], 1), ([{"count": 0}], 1), ([{"count": 2}, {"kind": "KIND_AUTO", "count": "3"}], 5)]
)
def test_instances_are_counted(groups: list[object], count: int) -> None:
    assert read(instance_group=groups).instances == count


def test_parameters_of_a_python_model_are_its_own() -> None:
    texts = {"shape": "any", "max_queue": "3", "EXECUTION_ENV_PATH": "env.tar.gz"}
    declared = read_triton(
        {
            "backend": "python",
            "input": [{"name": "x", "optional": True}],
            "model_transaction_policy": {"decoupled": True},
            "parameters": {name: {"string_value": text} for name, text in texts.items()},
        },
        DONE_BY_SERVER,
    )
    assert declared.settings == {"max_queue": "3"}
    assert declared.warnings == (
        "parameter 'EXECUTION_ENV_PATH' has no effect: Python models run in the server's own environment",
    )
