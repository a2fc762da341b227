"""Layouts, colour, precision, mean and scale on small models, through the in-process door."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

import ovserve
import small_models
from ovserve.errors import CannotStart
from ovserve.tensors import shape_text

Load = Callable[..., ovserve.InProcess]

PICTURE = np.arange(1 * 3 * 2 * 4, dtype=np.float32).reshape(1, 3, 2, 4)  # NCHW
TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Serve a model as `m`, with these settings."""

    def load(model: ov.Model, **settings: Any) -> ovserve.InProcess:
        small_models.save(model, tmp_path / "m/1")
        return ovserve.load(model_name="m", model_path=tmp_path / "m", **settings)

    return load


def described(models: ovserve.InProcess) -> dict[str, tuple[str, str | None]]:
    metadata = models.metadata("m")
    return {spec.name: (shape_text(spec.dims), spec.layout) for spec in (*metadata.inputs, *metadata.outputs)}


def declared(layout: str, shape: tuple[int, ...]) -> ov.Model:
    x = small_models.parameter("x", shape)
    x.set_layout(ov.Layout(layout))
    return ov.Model([small_models.named(small_models.ops.add(x, np.float32(1)), "y")], [x], "declared")


@pytest.mark.parametrize("layout", ["NHWC", "nhwc", "NHWC:NCHW", '{"x": "NHWC"}', "{x:NHWC:NCHW}"])
def test_pictures_come_in_the_layout_asked_for(load: Load, layout: str) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout=layout)
    assert described(models) == {"x": ("(1,2,4,3)", "NHWC"), "y": ("(1,3,2,4)", None)}
    assert (models.infer("m", PICTURE.transpose(TO_NHWC))["y"] == PICTURE + 1).all()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC:NHWC", "NCHW:NCHW", "N...", "NCDH"])
def test_other_settings_only_say_what_is_what(load: Load, layout: str) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout=layout)
    assert described(models) == {"x": ("(1,3,2,4)", layout.partition(":")[0]), "y": ("(1,3,2,4)", None)}
    assert (models.infer("m", PICTURE)["y"] == PICTURE + 1).all()


@pytest.mark.parametrize(
    ("own", "shape", "asked", "served"),
    [
        ("NHWC", (1, 2, 4, 3), "NHWC", "(1,2,4,3)"),
        ("NHWC", (1, 2, 4, 3), "NCHW", "(1,3,2,4)"),
        ("N??C", (1, 2, 4, 3), "NCHW", "(1,3,2,4)"),
        ("N...", (1, 3, 2, 4), "NHWC", "(1,2,4,3)"),
        ("CHWN", (3, 2, 4, 1), "NHWC", "(1,2,4,3)"),
    ],
)
def test_a_lone_layout_converts_from_what_the_model_declares(
    load: Load, own: str, shape: tuple[int, ...], asked: str, served: str
) -> None:
    assert described(load(declared(own, shape), layout=asked))["x"] == (served, asked)


def test_a_layout_that_the_model_declares_is_shown(load: Load) -> None:
    assert described(load(declared("NHWC", (1, 2, 4, 3))))["x"] == ("(1,2,4,3)", "NHWC")


def test_a_lone_layout_on_another_rank_only_labels(load: Load) -> None:
    assert described(load(small_models.add_one([2, 3]), layout="CN"))["x"] == ("(2,3)", "CN")


def test_outputs_are_converted_through_the_object_form(load: Load) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout='{"x": "NHWC", "y": "NHWC:NCHW"}')
    assert described(models) == {"x": ("(1,2,4,3)", "NHWC"), "y": ("(1,2,4,3)", "NHWC")}
    sent = PICTURE.transpose(TO_NHWC)
    assert (models.infer("m", sent)["y"] == sent + 1).all()


@pytest.mark.parametrize(
    ("settings", "served"),
    [
        ({"shape": "(1,8,6,3)"}, "(1,8,6,3)"),
        ({"shape": "(1,-1,2:6,3)"}, "(1,-1,[2~6],3)"),
        ({"shape": "auto"}, "(-1,-1,-1,-1)"),
        ({"batch_size": 5}, "(5,2,4,3)"),
        ({"batch_size": "auto"}, "(-1,2,4,3)"),
    ],
)
def test_shapes_are_those_that_clients_send(load: Load, settings: dict[str, Any], served: str) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout="NHWC", **settings)
    assert described(models)["x"] == (served, "NHWC")
    shape = (5 if settings.get("batch_size") == 5 else 1, *((8, 6, 3) if settings.get("shape") else (2, 4, 3)))
    picture = np.random.default_rng(0).random(shape, np.float32)
    assert (models.infer("m", picture)["y"] == picture.transpose(TO_NCHW) + 1).all()


@pytest.mark.parametrize("layout", ["NHWC", "NHWC:NCHW", '{"x": "NHWC"}'])
def test_a_tensor_that_is_input_and_output_cannot_change_its_layout(load: Load, layout: str) -> None:
    with pytest.raises(
        CannotStart, match="the layout cannot be changed, as 'x' is the name of an input and of an output"
    ):
        load(small_models.pass_through("f32", PICTURE.shape), layout=layout)


def test_but_it_can_be_labelled(load: Load) -> None:
    models = load(small_models.pass_through("f32", PICTURE.shape), layout="NHWC:NHWC")
    assert (models.infer("m", PICTURE)["x"] == PICTURE).all()


def test_layouts_that_do_not_convert_are_refused(load: Load) -> None:
    with pytest.raises(CannotStart, match="m version 1: layout cannot be applied to the model: "):
        load(small_models.add_one(PICTURE.shape), layout="NHWC:NCDH")


def test_mean_and_scale_are_per_channel_or_for_all(load: Load) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout="NHWC", mean="[1,2,3]", scale=2)
    channels = np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)
    assert np.allclose(models.infer("m", PICTURE.transpose(TO_NHWC))["y"], (PICTURE - channels) / 2 + 1)


def test_mean_comes_before_scale_on_the_models_own_layout_too(load: Load) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout="NCHW", mean=1, scale="(2,4,8)")
    channels = np.array([2, 4, 8], np.float32).reshape(1, 3, 1, 1)
    assert np.allclose(models.infer("m", PICTURE)["y"], (PICTURE - 1) / channels + 1)


def test_a_precision_is_what_the_client_sends(load: Load) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout="NHWC", precision="UINT8:FP32", mean="0.5")
    assert models.metadata("m").inputs[0].dtype.kserve == "UINT8"
    sent = PICTURE.transpose(TO_NHWC).astype(np.uint8)
    assert (models.infer("m", sent)["y"] == PICTURE + 0.5).all()


def test_the_last_precision_is_the_models(load: Load) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout="NCHW", precision="FP16:FP64")
    assert (models.infer("m", PICTURE.astype(np.float16))["y"] == PICTURE + 1).all()


def test_a_color_format_is_what_the_client_sends(load: Load) -> None:
    models = load(small_models.add_one(PICTURE.shape), layout="NHWC", color_format="RGB:BGR")
    assert (models.infer("m", PICTURE.transpose(TO_NHWC))["y"] == PICTURE[:, ::-1] + 1).all()


def test_planes_in_one_tensor_are_taken(load: Load) -> None:
    models = load(
        small_models.add_one(PICTURE.shape), layout="NHWC:NCHW", color_format="RGB:NV12", precision="UINT8:FP32"
    )
    assert described(models)["x"] == ("(1,3,4,1)", "NHWC")
    assert models.infer("m", np.full((1, 3, 4, 1), 128, np.uint8))["y"].shape == PICTURE.shape


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mean": "[1,2]"}, "mean cannot be applied to the model: "),
        (
            {"color_format": "RGB:NV12_2"},
            "color_format NV12_2 would make several inputs of one, which is not supported",
        ),
        ({"color_format": "BGR:GRAY"}, "color_format cannot be applied to the model: Source color format 'GRAY'"),
        ({"precision": "INT4:FP32"}, "tensor 'x' has element type i4, which KServe v2 has no datatype for"),
    ],
)
def test_what_the_model_cannot_have_in_front_is_refused(load: Load, settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        load(small_models.add_one(PICTURE.shape), layout="NHWC", **settings)
    assert f"m version 1: {sentence}" in str(refusal.value)
    assert ".cpp" not in str(refusal.value)


def test_shape_layout_and_public_names_go_together(tmp_path: Path) -> None:
    folder = small_models.save(small_models.channel_sum("NCHW"), tmp_path / "m/1")
    (folder / "mapping_config.json").write_text(json.dumps({"inputs": {"x": "image"}, "outputs": {"y": "sum"}}))
    models = ovserve.load(
        model_name="m",
        model_path=tmp_path / "m",
        layout={"image": "NHWC", "sum": "NHWC:NCHW"},
        shape={"image": "(1,-1,-1,3)"},
    )
    assert described(models) == {"image": ("(1,-1,-1,3)", "NHWC"), "sum": ("(1,[1~],[1~],1)", "NHWC")}
    assert models.infer("m", np.ones((1, 4, 5, 3), np.float32))["sum"].tolist() == np.full((1, 4, 5, 1), 3).tolist()
