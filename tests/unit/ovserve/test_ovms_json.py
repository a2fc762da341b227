"""OVMS's config.json: what is read, what refuses the file, what refuses an entry."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovserve.config.model import ModelConfig
from ovserve.config.ovms_json import EntryError, OvmsConfig, config_file, parse_config, read_config
from ovserve.config.ovms_schema import File, ModelEntry
from ovserve.config.pipeline import PipelineConfig
from ovserve.config.shapes import AUTO
from ovserve.config.version_policy import All, Latest, Specific
from ovserve.errors import Code, ConfigInvalid
from ovserve.tensors import ANY, Dim

FILE = Path("/srv/models/config.json")


def parse(document: Any) -> OvmsConfig:
    return parse_config(document if isinstance(document, str) else json.dumps(document), FILE)


def entries(*configs: dict[str, Any], **others: Any) -> OvmsConfig:
    return parse({"model_config_list": [{"config": config} for config in configs], **others})


def one(**config: Any) -> ModelConfig:
    read = entries({"name": "m", "base_path": "m", **config})
    assert read.errors == ()
    return read.models[0]


def refusal(document: Any) -> str:
    with pytest.raises(ConfigInvalid) as refused:
        parse(document)
    assert (refused.value.code, refused.value.path) == (Code.PRECONDITION, FILE)
    sentence = str(refused.value)
    assert "/srv" not in sentence
    return sentence


def entry_error(**config: Any) -> str:
    """The one error of an entry beside which another is read."""
    read = entries({"name": "m", "base_path": "m", **config}, {"name": "other", "base_path": "other"})
    assert [model.name for model in read.models] == ["other"]
    (error,) = read.errors
    assert (error.kind, error.name, read.failed) == ("model", "m", {"m": error.sentence})
    assert "/srv" not in error.sentence
    return error.sentence


# What is read


def test_an_entry_of_nothing_but_name_and_place_has_the_defaults() -> None:
    assert one() == ModelConfig(name="m", base_path=Path("/srv/models/m"))


def test_every_setting_goes_through_the_flags_grammar() -> None:
    model = one(
        shape={"a": "(1,3,-1,200:500)", "b": "auto"},
        batch_size=4,
        layout="NHWC:NCHW",
        mean=[1, 2.5, 3],
        scale=2,
        color_format="RGB:BGR",
        precision="UINT8:FP32",
        model_version_policy={"specific": {"versions": [1, 3]}},
        nireq=3,
        target_device="GPU",
        max_queue=0,
        queue_timeout=2,
        auto_shape_cache=5,
        strict_shape=True,
    )
    assert model.shape == {"a": (Dim(1, 1), Dim(3, 3), ANY, Dim(200, 500)), "b": AUTO}
    assert (model.batch_size, model.mean, model.scale) == (Dim(4, 4), (1.0, 2.5, 3.0), 2.0)
    assert (model.color_format.client, model.precision.client, str(model.layout.model)) == ("BGR", "UINT8", "NCHW")
    assert model.model_version_policy == Specific(frozenset({1, 3}))
    assert (model.nireq, model.target_device, model.max_queue, model.queue_timeout) == (3, "GPU", 0, 2)
    assert (model.auto_shape_cache, model.strict_shape) == (5, True)


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        ({"shape": "(1,2)"}, "shape", (Dim(1, 1), Dim(2, 2))),
        ({"shape": "{a:(1)}"}, "shape", {"a": (Dim(1, 1),)}),
        ({"batch_size": "auto"}, "batch_size", AUTO),
        ({"batch_size": "1:8"}, "batch_size", Dim(1, 8)),
        ({"batch_size": 0}, "batch_size", Dim(0, 0)),
        ({"mean": "(1,2)", "layout": "NCHW"}, "mean", (1.0, 2.0)),
        ({"model_version_policy": {"all": {}}}, "model_version_policy", All()),
        ({"model_version_policy": {"latest": {"num_versions": 2}}}, "model_version_policy", Latest(2)),
        ({"target_device": ""}, "target_device", "CPU"),
        ({"plugin_config": {"NUM_STREAMS": 4}}, "plugin_config", {"NUM_STREAMS": "4"}),
    ],
)
def test_every_form_of_a_value_is_read(config: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(one(**config), name) == value


@pytest.mark.parametrize(
    ("base_path", "place"),
    [
        ("m", "/srv/models/m"),
        ("./a/m/", "/srv/models/a/m"),
        ("/opt/m", "/opt/m"),
        ("m..x/..y", "/srv/models/m..x/..y"),
    ],
)
def test_a_relative_path_starts_at_the_file(base_path: str, place: str) -> None:
    assert one(base_path=base_path).base_path == Path(place)


def test_no_models_are_a_good_file() -> None:
    assert entries() == OvmsConfig()


def test_monitoring_is_kept() -> None:
    monitoring = entries(monitoring={"metrics": {"enable": True, "metrics_list": ["ovms_streams"]}}).monitoring
    assert monitoring is not None
    assert (monitoring.metrics.enable, monitoring.metrics.metrics_list) == (True, ("ovms_streams",))


# Warnings


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"allow_cache": True}, "allow_cache has no effect here: with --cache_dir every model is cached"),
        ({"graph_path": "g"}, "graph_path has no effect here: MediaPipe graphs are not served"),
        ({"max_sequence_number": 5, "stateful": False}, "max_sequence_number has no effect: the model is not stateful"),
        ({"idle_sequence_cleanup": True}, "idle_sequence_cleanup has no effect: the model is not stateful"),
        (
            {"custom_loader_options": {"loader_name": "x"}},
            "custom_loader_options has no effect here: models are read from files only",
        ),
        ({"plugin_config": {"CPU_THREADS_NUM": "2"}}, "plugin_config: CPU_THREADS_NUM is an old name"),
    ],
)
def test_what_has_no_effect_is_told(config: dict[str, Any], sentence: str) -> None:
    read = entries({"name": "m", "base_path": "m", **config})
    (warning,) = read.warnings
    assert warning.startswith(f"config.json: model_config_list[0].config.{sentence}")
    assert len(read.models) == 1


@pytest.mark.parametrize("name", ["mediapipe_config_list", "custom_loader_config_list"])
def test_a_list_without_effect_is_told_unless_empty(name: str) -> None:
    assert entries(**{name: []}).warnings == ()
    (warning,) = entries(**{name: [{"name": "x", "anything": 1}]}).warnings
    assert warning.startswith(f"config.json: {name} has no effect here: ")


# What refuses the file


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it is not JSON: line 1, column 1: Expecting value"),
        ('{"model_config_list": [\n  {]}', "it is not JSON: line 2, column 4: Expecting property name"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"model_config_list": ["\\ud800"]}', "it is not JSON: a text in it has half a character"),
        (f'{{"model_config_list": [{"1" * 5000}]}}', "Exceeds the limit"),
        ('{"model_config_list": [NaN]}', "it is not JSON: NaN is no number of JSON"),
        ('{"model_config_list": [], "model_config_list": []}', "model_config_list: the key stands twice in its object"),
        (
            '{"model_config_list": [{"config": {"name": "a", "nireq": 1, "nireq": 2}}]}',
            "model_config_list[0].config.nireq: the key stands twice in its object",
        ),
        ("[]", "must be an object, got []"),
        ("{}", "model_config_list: is missing"),
        ('{"model_config_list": {}}', "model_config_list: must be a list, got {}"),
        ('{"model_config_list": [], "models": []}', "models: is not known here, expected one of model_config_list, "),
        ('{"model_config_list": [{}]}', "model_config_list[0].config: is missing"),
        ('{"model_config_list": [null]}', "model_config_list[0]: must be an object, got null"),
    ],
)
def test_a_wrong_text_refuses_the_file(text: str, sentence: str) -> None:
    assert refusal(text).startswith(f"config.json: {sentence}")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"name": None}, "name: must be text, got null"),
        ({"name": ""}, 'name: must not be empty, got ""'),
        ({"nirq": 2}, "nirq: is not known here, expected one of name, base_path, batch_size, "),
        ({"nireq": "4"}, 'nireq: must be a whole number, got "4"'),
        ({"nireq": True}, "nireq: must be a whole number, got true"),
        ({"nireq": -1}, "nireq: must be 0 or more, got -1"),
        ({"nireq": 1.5}, "nireq: must be a whole number, got 1.5"),
        ({"batch_size": -1}, "batch_size: must be a whole number from 0, or text, got -1"),
        ({"batch_size": True}, "batch_size: must be a whole number from 0, or text, got true"),
        ({"shape": [1, 3]}, "shape: must be text, or an object of texts, got [1, 3]"),
        ({"layout": {"a": 1}}, 'layout: must be text, or an object of texts, got {"a": 1}'),
        ({"mean": [1, "x"]}, 'mean: must be a number, a list of numbers, or text, got [1, "x"]'),
        ({"plugin_config": {"A": {"B": 1}}}, 'plugin_config.A: must be text, a number, true or false, got {"B": 1}'),
        ({"plugin_config": []}, "plugin_config: must be an object, got []"),
        ({"strict_shape": 1}, "strict_shape: must be true or false, got 1"),
        ({"model_version_policy": "all"}, 'model_version_policy: must be an object, got "all"'),
        ({"shape": ["x" * 200]}, f'shape: must be text, or an object of texts, got ["{"x" * 78}...'),
    ],
)
def test_a_wrong_key_or_type_refuses_the_file(config: dict[str, Any], sentence: str) -> None:
    document = {"model_config_list": [{"config": {"name": "a", "base_path": "a"}}, {"config": {"name": "b", **config}}]}
    assert refusal(document).startswith(f"config.json: model_config_list[1].config.{sentence}")


def test_of_several_errors_the_first_is_told_and_the_rest_counted() -> None:
    document = {"model_config_list": [{"config": {"name": 1}}, {"config": {}}, 3]}
    assert refusal(document) == "config.json: model_config_list[0].config.name: must be text, got 1 (and 2 more)"


# What refuses an entry


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"shape": "[1]"}, ".shape: '[1]' is not a shape: expected auto, or lengths"),
        ({"shape": {"a": "1"}}, ".shape: '1' is not a shape: "),
        ({"batch_size": "many"}, ".batch_size: 'many' is not a batch size: "),
        ({"layout": "NHWCX"}, ".layout: 'NHWCX' is not a layout: "),
        ({"mean": "x", "layout": "NCHW"}, ".mean: 'x' is not a number"),
        ({"scale": 0, "layout": "NCHW"}, ".scale: '0' divides by zero"),
        ({"color_format": "RGB", "layout": "NCHW"}, ".color_format: 'RGB' is not a color format: "),
        ({"precision": "FP32", "layout": "NCHW"}, ".precision: 'FP32' is not a precision: "),
        ({"mean": 1}, ": mean requires layout to be set"),
        ({"model_version_policy": {}}, ".model_version_policy: '{}' is not a version policy: "),
        ({"nireq": 100_001}, ".nireq: must be 100000 or less, got 100001"),
        (
            {"plugin_config": {"INFERENCE_NUM_THREADS": "x"}},
            ".plugin_config: INFERENCE_NUM_THREADS must be a whole number, got 'x'",
        ),
        ({"base_path": ""}, ".base_path: is missing"),
        ({"base_path": "m\0"}, ".base_path: holds a NUL character"),
        ({"base_path": "../m"}, ".base_path: Path ../m escape with .. is forbidden."),
        ({"base_path": "a/../../m"}, ".base_path: Path a/../../m escape with .. is forbidden."),
        ({"base_path": "/srv/../m"}, ".base_path: Path escape with .. is forbidden."),
        *(
            ({"base_path": f"{scheme}bucket/m"}, f".base_path: paths that begin with {scheme} are not supported: ")
            for scheme in ("s3://", "gs://", "azure://", "S3://")
        ),
        (
            {"stateful": True, "max_sequence_number": 2**32},
            ".max_sequence_number: must be 4294967295 or less, got 4294967296",
        ),
    ],
)
def test_a_wrong_value_refuses_its_entry_only(config: dict[str, Any], sentence: str) -> None:
    assert entry_error(**config).startswith(f"config.json: model_config_list[0].config{sentence}")


def test_of_the_same_name_the_first_counts() -> None:
    read = entries({"name": "m", "base_path": "a"}, {"name": "m", "base_path": "b"})
    assert [model.base_path.name for model in read.models] == ["a"]
    sentence = (
        "config.json: model_config_list[1].config.name: "
        "the name 'm' is taken by a model further up; only the first counts"
    )
    assert (read.errors, read.failed) == ((EntryError("model", "m", sentence),), {})


def test_a_wrong_first_entry_is_not_replaced_by_another_of_its_name() -> None:
    read = entries({"name": "m", "base_path": "a", "shape": "x"}, {"name": "m", "base_path": "b"})
    assert (read.models, len(read.errors)) == ((), 2)
    assert read.failed["m"].startswith("config.json: model_config_list[0].config.shape: ")


# Pipelines and node libraries

NODE = {
    "name": "n",
    "type": "DL model",
    "model_name": "m",
    "inputs": [{"x": {"node_name": "request", "data_item": "x"}}],
    "outputs": [{"data_item": "y", "alias": "z"}],
}
PIPELINE = {
    "name": "p",
    "inputs": ["x"],
    "outputs": [{"z": {"node_name": "n", "data_item": "z"}}],
    "nodes": [NODE],
    "demultiply_count": -1,
}


def test_pipelines_and_libraries_are_kept() -> None:
    read = entries(
        pipeline_config_list=[PIPELINE], custom_node_library_config_list=[{"name": "l", "base_path": "lib/l.so"}]
    )
    (pipeline,), (library,) = read.pipelines, read.libraries
    assert (pipeline.name, pipeline.demultiply_count) == ("p", -1)
    assert pipeline.nodes[0].inputs[0]["x"].node_name == "request"
    assert pipeline.nodes[0].outputs[0].alias == "z"
    assert (library.name, library.path) == ("l", Path("/srv/models/lib/l.so"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"demultiply_count": -2}, ".demultiply_count: must be -1 or more, got -2"),
        ({"demultiply_count": 10_001}, ".demultiply_count: must be 10000 or less, got 10001"),
        ({"outputs": [{}]}, ".outputs[0]: must be an object of one key, has 0"),
        ({"nodes": [{**NODE, "type": "DAG"}]}, ".nodes[0].type: must be 'DL model' or 'custom', got \"DAG\""),
        ({"nodes": [{**NODE, "version": 0}]}, ".nodes[0].version: must be 1 or more, got 0"),
        (
            {"nodes": [{**NODE, "library_name": "l"}]},
            ".nodes[0]: a node of type 'DL model' has a model_name and no library_name",
        ),
        (
            {"nodes": [{**NODE, "type": "custom"}]},
            ".nodes[0]: a node of type 'custom' has a library_name and no model_name",
        ),
        ({"nodes": [{**NODE, "inputs": [{"x": {"node_name": "r"}}]}]}, ".nodes[0].inputs[0].x.data_item: is missing"),
        ({"inputs": "x"}, '.inputs: must be a list, got "x"'),
    ],
)
def test_a_pipeline_of_another_form_refuses_the_file(changes: dict[str, Any], sentence: str) -> None:
    document = {"model_config_list": [], "pipeline_config_list": [{**PIPELINE, **changes}]}
    assert refusal(document) == f"config.json: pipeline_config_list[0]{sentence}"


def test_a_pipeline_takes_no_name_that_is_taken() -> None:
    read = entries({"name": "p", "base_path": "p"}, pipeline_config_list=[PIPELINE, {**PIPELINE, "name": "q"}] * 2)
    assert [pipeline.name for pipeline in read.pipelines] == ["q"]
    assert [(error.kind, error.name) for error in read.errors] == [("pipeline", name) for name in ("p", "p", "q")]
    assert "taken by a model" in read.errors[0].sentence
    assert "taken by a pipeline" in read.errors[2].sentence
    assert read.failed == {}


def test_the_values_are_frozen() -> None:
    (pipeline,) = entries(pipeline_config_list=[PIPELINE]).pipelines
    assert isinstance(pipeline, PipelineConfig)
    assert isinstance(pipeline.nodes, tuple)


# Whatever comes

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["auto", "(1)", "m"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.fixed_dictionaries(
    {"name": st.just("m"), "base_path": st.text(max_size=5)},
    optional=dict.fromkeys(ModelEntry.model_fields.keys() - {"name", "base_path"}, VALUES),
)
FILES = st.fixed_dictionaries(
    {"model_config_list": VALUES | st.lists(st.fixed_dictionaries({"config": ENTRIES}), max_size=2)},
    optional=dict.fromkeys(File.model_fields.keys() - {"model_config_list"}, VALUES),
)


@given(st.text() | VALUES.map(json.dumps) | FILES.map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = parse_config(text, FILE)
    except ConfigInvalid as error:
        str(error).encode()
        return
    for error in read.errors:
        error.sentence.encode()


@given(ENTRIES)
def test_any_entry_is_read_or_refused(entry: dict[str, Any]) -> None:
    try:
        read = entries(entry)
    except ConfigInvalid:
        return
    assert len(read.models) + len(read.errors) == 1


# The file itself


def test_a_folder_stands_for_its_config_json(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('\ufeff{"model_config_list": [{"config": {"name": "m", "base_path": "m"}}]}')
    assert config_file(tmp_path) == tmp_path / "config.json"
    assert read_config(tmp_path).models[0].base_path == tmp_path / "m"
    assert read_config(tmp_path / "config.json") == read_config(tmp_path)


def test_a_linked_file_has_its_models_beside_the_link(tmp_path: Path) -> None:
    """As in a ConfigMap, where the real file lies in ..data."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/config.json").write_text('{"model_config_list": [{"config": {"name": "m", "base_path": "m"}}]}')
    (tmp_path / "config.json").symlink_to("..data/config.json")
    assert read_config(tmp_path).models[0].base_path == tmp_path / "m"


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "the file does not exist"), (b"\xff\xfe", "the file is not UTF-8 text")]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigInvalid) as refused:
        read_config(tmp_path / "config.json")
    assert str(refused.value) == f"config.json: {sentence}"
