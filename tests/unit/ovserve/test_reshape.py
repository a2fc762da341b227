"""Shapes and batch sizes on small models, through the in-process door."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

import ovserve
import small_models
from ovserve.errors import CannotStart, ShapeRefused, WrongShape
from ovserve.tensors import shape_text

Load = Callable[..., ovserve.InProcess]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Serve a model as `m`, with these settings."""

    def load(model: ov.Model, mapping: dict[str, dict[str, str]] | None = None, **settings: Any) -> ovserve.InProcess:
        folder = small_models.save(model, tmp_path / "m/1")
        if mapping:
            (folder / "mapping_config.json").write_text(json.dumps(mapping))
        return ovserve.load(model_name="m", model_path=tmp_path / "m", **settings)

    return load


def inputs(models: ovserve.InProcess) -> dict[str, str]:
    return {spec.name: shape_text(spec.dims) for spec in models.metadata("m").inputs}


def outputs(models: ovserve.InProcess) -> dict[str, str]:
    return {spec.name: shape_text(spec.dims) for spec in models.metadata("m").outputs}


def note(models: ovserve.InProcess) -> str:
    (row,) = models._core.control.index()
    assert row.state == "READY"
    return row.reason


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_a_fixed_shape_takes_the_place_of_the_models(load: Load) -> None:
    models = load(small_models.add_one([2, 3]), shape="(4,5)")
    assert (inputs(models), outputs(models), note(models)) == ({"x": "(4,5)"}, {"y": "(4,5)"}, "")
    assert models.infer("m", ones(4, 5))["y"].shape == (4, 5)
    with pytest.raises(WrongShape, match=r"Invalid input batch size - Expected: 4; Actual: 2; input name: x"):
        models.infer("m", ones(2, 5))
    with pytest.raises(WrongShape, match=r"Invalid input shape - Expected: \(4,5\); Actual: \(4,3\)"):
        models.infer("m", ones(4, 3))
    with pytest.raises(WrongShape, match=r"Invalid number of shape dimensions - Expected: \(4,5\); Actual: \(20\)"):
        models.infer("m", ones(20))


def test_any_length_and_ranges_are_kept_with_their_bounds(load: Load) -> None:
    models = load(small_models.add_one([2, 3, 4]), shape="(-1,3,2:5)")
    assert inputs(models) == {"x": "(-1,3,[2~5])"}
    assert models.metadata("m").inputs[0].wire_shape == [-1, 3, -1]
    for shape in ((1, 3, 2), (7, 3, 5)):
        assert models.infer("m", ones(*shape))["y"].shape == shape
    with pytest.raises(WrongShape, match=r"Expected: \(-1,3,\[2~5\]\); Actual: \(1,3,6\)"):
        models.infer("m", ones(1, 3, 6))


def test_shape_beats_batch_size_with_a_warning(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ovserve"):
        models = load(small_models.add_one([2, 3]), shape="(4,3)", batch_size=8)
    assert inputs(models) == {"x": "(4,3)"}
    assert "Both shape and batch size have been defined. Batch size parameter will be ignored." in caplog.text
    assert note(models) == ""


@pytest.mark.parametrize("shape", ['{"a": "(4,5)", "b": "(1,5)"}', "{a:(4,5),b:(1,5)}", {"a": "(4,5)", "b": "(1,5)"}])
def test_each_input_has_its_own_shape(load: Load, shape: Any) -> None:
    models = load(small_models.add_sub([2, 3]), shape=shape)
    assert (inputs(models), outputs(models)["sum"]) == ({"a": "(4,5)", "b": "(1,5)"}, "(4,5)")
    assert models.infer("m", {"a": ones(4, 5), "b": ones(1, 5)})["sum"].tolist() == (ones(4, 5) * 2).tolist()


def test_an_input_not_named_keeps_its_shape(load: Load) -> None:
    assert inputs(load(small_models.add_sub([1, 3]), shape="{a:(4,3)}")) == {"a": "(4,3)", "b": "(1,3)"}


def test_any_rank_takes_the_shape_given(load: Load) -> None:
    model = small_models.add_one(ov.PartialShape.dynamic())
    assert inputs(load(model, shape="(2,-1)")) == {"x": "(2,-1)"}


REFUSED = [
    ({"shape": "(4,5)"}, "shape without names is for a model with one input; this one has a, b"),
    ({"shape": "{c:(4,5)}"}, "shape names 'c', which the model does not have; it has 'a', 'b'"),
    ({"shape": "{sum:(4,5)}"}, "shape names 'sum', which the model does not have; it has 'a', 'b'"),
    ({"layout": "CN"}, "layout without names is for a model with one input; this one has a, b"),
    ({"layout": "{c:CN}"}, "layout names 'c', which the model does not have; it has 'a', 'b', 'sum', 'difference'"),
    ({"layout": "{a:NCHW}"}, "layout NCHW does not fit input 'a', which has 2 dimensions: [2,3]"),
    ({"layout": "{sum:NC:NCH}"}, "layout NCH does not fit output 'sum', which has 2 dimensions: [2,3]"),
    ({"layout": "{a:NC}", "mean": "1"}, "mean is for a model with one input; this one has a, b"),
]


@pytest.mark.parametrize(("settings", "sentence"), REFUSED)
def test_what_does_not_fit_the_models_tensors_is_refused(load: Load, settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        load(small_models.add_sub([2, 3]), **settings)
    assert str(refusal.value) == f"no model can be served: m version 1: {sentence}"


@pytest.mark.parametrize(("setting", "value"), [("shape", "(4,3)"), ("layout", "NC")])
def test_a_renamed_input_goes_by_its_public_name(load: Load, setting: str, value: str) -> None:
    mapping = {"inputs": {"x": "image"}}
    models = load(small_models.add_one([2, 3]), mapping, **{setting: {"image": value}})
    assert list(inputs(models)) == ["image"]
    with pytest.raises(
        CannotStart,
        match=f"{setting} names 'x', which mapping_config.json renames: use the mapped name 'image' instead",
    ):
        load(small_models.add_one([2, 3]), mapping, **{setting: {"x": value}})


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"batch_size": 8}, "(8,4)"),
        ({"batch_size": "1:8"}, "([1~8],4)"),
        ({"batch_size": -1}, "(-1,4)"),
        ({"batch_size": "auto"}, "(-1,4)"),
        ({"batch_size": 8, "layout": "CN"}, "(3,8)"),
        ({"batch_size": 8, "layout": "?N"}, "(3,8)"),
        ({"batch_size": 8, "layout": "...N"}, "(3,8)"),
        ({"batch_size": 8, "layout": "?C"}, "(8,4)"),
        ({"batch_size": 8, "layout": "CN:NC"}, "(4,8)"),
    ],
)
def test_the_batch_is_the_layouts_n_or_the_first_dimension(load: Load, settings: dict[str, Any], shape: str) -> None:
    models = load(small_models.add_one([3, 4]), **settings)
    assert (inputs(models), note(models)) == ({"x": shape}, "")


def test_every_input_takes_the_batch(load: Load) -> None:
    assert inputs(load(small_models.add_sub([2, 3]), batch_size=5)) == {"a": "(5,3)", "b": "(5,3)"}


@pytest.mark.parametrize(
    ("model", "settings"),
    [(small_models.add_one([]), {}), (small_models.add_one([3, 4]), {"layout": "CH"})],
    ids=["scalar", "CH"],
)
def test_without_a_batch_dimension_a_model_keeps_its_shape(
    load: Load, model: ov.Model, settings: dict[str, str]
) -> None:
    assert note(load(model, batch_size=8, **settings)) == (
        "Model could not be reshaped with requested shape, it keeps its own: "
        "batch_size 8: no input has a dimension for it"
    )


STUBBORN = [
    {"shape": "(2,3,2,2)"},
    {"shape": "(1,3,2)"},
    {"shape": "(-1,3,2,2)"},
    {"shape": "(1:4,3,2,2)"},
    {"shape": "auto"},
    {"shape": "{x:auto}"},
    {"batch_size": 8},
    {"batch_size": -1},
    {"batch_size": "3:4"},
    {"batch_size": "auto"},
]


@pytest.mark.parametrize("settings", STUBBORN, ids=str)
def test_a_model_that_cannot_be_reshaped_keeps_its_shape_and_says_so(
    load: Load, caplog: pytest.LogCaptureFixture, settings: dict[str, Any]
) -> None:
    with caplog.at_level(logging.WARNING, "ovserve"):
        models = load(small_models.flat(), **settings)
    assert inputs(models) == {"x": "(1,3,2,2)"}
    assert models.infer("m", ones(1, 3, 2, 2))["y"].shape == (1, 12)
    (name,) = settings
    assert note(models).startswith("Model could not be reshaped with requested shape, it keeps its own: ")
    assert note(models) in caplog.text
    assert ".cpp" not in note(models)
    assert name in note(models)
    error, said = (
        (ShapeRefused, r"shape - \(8,3,2,2\): .*Requested output shape \[1,12\] is incompatible")
        if "auto" in str(settings)
        else (WrongShape, "Expected: ")
    )
    with pytest.raises(error, match=said):
        models.infer("m", ones(8, 3, 2, 2))


@pytest.mark.parametrize("settings", STUBBORN, ids=str)
def test_strict_shape_refuses_a_model_that_cannot_be_reshaped(load: Load, settings: dict[str, Any]) -> None:
    with pytest.raises(CannotStart, match="m version 1: Model could not be reshaped with requested shape: "):
        load(small_models.flat(), strict_shape=True, **settings)


def test_strict_shape_serves_one_that_can(load: Load) -> None:
    assert inputs(load(small_models.add_one([2]), shape="(3)", strict_shape=True)) == {"x": "(3)"}


def auto_axes(models: ovserve.InProcess) -> dict[str, list[int]]:
    return {name: sorted(axes) for name, axes in models._core.registry.find("m").auto.items()}


def test_an_auto_shape_varies_where_the_model_can(load: Load) -> None:
    models = load(small_models.channel_sum(), shape="auto")
    assert (inputs(models), note(models)) == ({"x": "(-1,3,-1,-1)"}, "")
    assert auto_axes(models) == {"x": [0, 1, 2, 3]}
    for shape in ((1, 3, 8, 8), (2, 3, 5, 7)):
        assert models.infer("m", ones(*shape))["y"].tolist() == (ones(shape[0], 1, *shape[2:]) * 3).tolist()
    with pytest.raises(ShapeRefused, match=r"model 'm' version 1: Model could not be reshaped .* - \(1,4,8,8\): "):
        models.infer("m", ones(1, 4, 8, 8))
    with pytest.raises(WrongShape, match=r"number of shape dimensions - Expected: \(-1,3,-1,-1\); Actual: \(3,8,8\)"):
        models.infer("m", ones(3, 8, 8))


def test_inputs_that_vary_only_together_do(load: Load) -> None:
    models = load(small_models.add_sub([2, 3]), shape="auto")
    assert inputs(models) == {"a": "(-1,-1)", "b": "(-1,-1)"}
    assert models.infer("m", {"a": ones(7, 5), "b": ones(7, 5)})["sum"].shape == (7, 5)


def test_of_an_object_only_what_is_auto_varies(load: Load) -> None:
    models = load(small_models.add_sub([1, 3]), shape='{"a": "(1,3)", "b": "auto"}')
    assert inputs(models) == {"a": "(1,3)", "b": "(-1,3)"}
    assert auto_axes(models) == {"b": [0, 1]}
    assert models.infer("m", {"a": ones(1, 3), "b": ones(4, 3)})["sum"].shape == (4, 3)


def test_an_auto_input_need_not_go_with_the_others_before_a_request_comes(load: Load) -> None:
    models = load(small_models.add_sub([2, 3]), shape="{a:(4,5),b:auto}")
    assert inputs(models) == {"a": "(4,5)", "b": "(-1,-1)"}
    assert models.infer("m", {"a": ones(4, 5), "b": ones(1, 5)})["sum"].shape == (4, 5)


@pytest.mark.parametrize("shape", ["{a:(-1,3)}", "{a:(1:4,3)}"])
def test_one_inputs_batch_may_vary_where_the_others_stays(load: Load, shape: str) -> None:
    models = load(small_models.add_sub([4, 3]), shape=shape)
    assert note(models) == ""
    assert models.infer("m", {"a": ones(1, 3), "b": ones(4, 3)})["sum"].shape == (4, 3)


def test_a_batch_that_comes_in_eights_only_may_vary(load: Load) -> None:
    x = small_models.parameter("x", [8, 3])
    folded = small_models.ops.reshape(x, np.array([-1, 8, 3]), special_zero=False)
    models = load(ov.Model([small_models.named(folded, "y")], [x], "eights"), batch_size=-1)
    assert (inputs(models), note(models)) == ({"x": "(-1,3)"}, "")
    assert models.infer("m", ones(24, 3))["y"].shape == (3, 8, 3)


def test_a_layout_does_not_outlive_the_rank_it_was_for(load: Load) -> None:
    models = load(small_models.add_one([1, 2, 3, 4]), shape="(-1,2)", layout="HWCN:HWCN")
    (spec,) = models.metadata("m").inputs
    assert (shape_text(spec.dims), spec.layout, spec.batch_axis) == ("(-1,2)", None, 0)


def test_an_auto_batch_lets_the_batch_alone_vary(load: Load) -> None:
    models = load(small_models.channel_sum(), batch_size="auto")
    assert (inputs(models), auto_axes(models)) == ({"x": "(-1,3,8,8)"}, {"x": [0]})
    with pytest.raises(WrongShape, match=r"Expected: \(-1,3,8,8\); Actual: \(1,3,9,8\)"):
        models.infer("m", ones(1, 3, 9, 8))


def test_what_is_dynamic_already_stays_so(load: Load) -> None:
    models = load(small_models.add_one([-1, 4]), batch_size="auto")
    assert (inputs(models), note(models)) == ({"x": "(-1,4)"}, "")


def test_strings_take_shapes_too(load: Load) -> None:
    models = load(small_models.pass_through("string", [-1]), shape="(0:3)", layout="N")
    assert inputs(models) == {"x": "([0~3])"}
    for texts in ([], [b"a\0", b""]):
        assert models.infer("m", np.array(texts, object))["x"].tolist() == texts
    with pytest.raises(WrongShape, match=r"Invalid input batch size - Expected: \[0~3\]; Actual: 4"):
        models.infer("m", np.array([b"a"] * 4, object))


def test_a_narrowed_tensor_is_still_told_after_a_reshape(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ovserve"):
        load(small_models.add_one([1], "i64"), shape="(2)")
    assert caplog.text.count("input 'x' is i64, but the device computes it as i32") == 1
